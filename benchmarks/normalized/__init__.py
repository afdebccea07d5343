"""Stain normalisation beside its peers, in quality and speed: `python -m benchmarks.normalized` answers in a table."""
