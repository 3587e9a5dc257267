"""The direct search over the split thresholds of trees."""
