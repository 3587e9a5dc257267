"""Letters and narratives of one decision, and what becomes of a notice."""
