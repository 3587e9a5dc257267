"""An append-only log of bytes: it knows bytes and subjects, not explanations."""
