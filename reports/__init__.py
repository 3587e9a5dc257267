"""One file per report, shared by service and workers."""
