"""How good and how fast is stain normalisation, beside the peers? `python -m benchmarks.normalized` answers in a table."""
