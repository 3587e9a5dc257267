"""Letters about one decision: what they say, before anything is set on a page."""
