"""Chain of fundus photographs: CLAHE, Gaussian blur, difference enhancement, block by block.

blur           Gaussian blur of a block, equal to OpenCV's of the whole image
chain          configured chain as a function of boxes
clahe          contrast-limited adaptive histogram equalisation (CLAHE)
clahe_kernels  compiled loops of CLAHE
enhance        contrast enhancement: lightness, difference to the blur, field of view kept
image          normalised image store of a fundus photograph
wide_blur      Gaussian blur inside the field of view from sums over cells, for wide standard deviations
"""
