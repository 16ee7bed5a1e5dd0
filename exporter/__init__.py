"""Finds the images that a container registry lists but can no longer serve."""
