"""Slow truths: what is too slow for the request path, and the loops beside it."""
