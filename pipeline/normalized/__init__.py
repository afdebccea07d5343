"""Normalisation, original pixels → comparable pixels: rescaling, enhancement or stain normalisation, and the region of interest.

blocks   work blocks of an image, cut along shard borders
border   border of a fundus photograph: its colour, frames around it
data_warnings  warnings about the data, from the notes of normalised stores
fundus   chain of fundus photographs: CLAHE, Gaussian blur, difference enhancement
image    normalised image store, written block by block
labels   labels for viewers: truth, region, overlapping classes
opened   image open for reading, on the grid on which it is processed
pyramid  image pyramid: halving, level sizes
region   region of interest (field of view or tissue mask) at full size, from a thumbnail
rescale  resampling geometry: sizes and factors, regions that vanish
roi      field of view, its diameter, and thumbnails
stain    chain of H&E images: stain estimation and stain transfer
thumbnail  thumbnail in which the region of interest and the stains are found
truth_counts  truth counts: pixels, those in the region of interest, lesions that rescaling erased
view     view of an image on the grid on which it is processed
"""
