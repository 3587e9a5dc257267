"""The wire, version 1: pydantic models that a client may import."""
