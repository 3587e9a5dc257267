"""The rules as data: what each asks, from when to when, and its status wherever it is cited."""
