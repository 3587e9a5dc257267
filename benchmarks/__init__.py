"""What PERFORMANCE asks, measured side by side in one run: `make bench`."""
