"""The chain of fundus photographs: CLAHE, Gaussian blur, difference enhancement, block by block."""
