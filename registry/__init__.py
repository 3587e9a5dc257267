"""Which models exist: manifests, artifacts and references by digest."""
