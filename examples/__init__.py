"""Real data, real models, ready-made manifests."""
