"""Operational tables that are not the log."""
