"""Letters on a page: HTML, PDF and JSON, always the same bytes for the same letter."""
