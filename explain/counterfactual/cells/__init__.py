"""The cells of an ensemble: pieces of each axis inside which the model cannot tell values apart."""
