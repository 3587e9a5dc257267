"""`ofrecord run`: everything on one machine, supervised."""
