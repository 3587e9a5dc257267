"""One explanation in plain sentences, each of them checked against the record."""
