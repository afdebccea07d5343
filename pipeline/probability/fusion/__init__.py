"""Fusion of overlapping windows: weights, sums, halo exchange between blocks, division, rounding."""
