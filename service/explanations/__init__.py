"""One decision: found, checked, put on record, answered, read back and proved."""
