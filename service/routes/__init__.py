"""The addresses: HTTP things only, then one use case."""
