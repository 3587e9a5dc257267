"""Attributions: how much each feature moved the margin away from the reference's mean."""
