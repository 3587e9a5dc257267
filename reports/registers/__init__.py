"""Reports out of the log: a header that says what they cover, and rows that anybody can digest again."""
