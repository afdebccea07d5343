"""What came out of a run? Metrics per image and class, pictures, plots, and one page that opens from disk."""
