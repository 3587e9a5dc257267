"""Rules as data: what is cited, since when it holds, and whether it still does."""
