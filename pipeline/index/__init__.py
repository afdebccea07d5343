"""Which patches are cut, and where? Candidates per image, how many of each class, the draw, coverage, and the table."""
