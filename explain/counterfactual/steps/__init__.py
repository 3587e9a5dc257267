"""The direct search step by step, natively scored: tied features, several classes, unknown links."""
