"""Image formats: JPEG, PNG, TIFF and slides, each decoded box by box and strictly.

decoded_size      decoded size of a unit, from headers, and its limit
jpeg_file         check of all scans of a JPEG file
jpeg_png          JPEG and PNG decoding, whole
jpeg_progressive  check of the scans of a progressive JPEG
jpeg_scan         check of the Huffman-coded scans of a JPEG
light             light of stored samples: inversion, significant bits, transparency
mask_colours      colours of a mask file: one beside black
mask_values       values of masks and label images in JPEG, PNG and the like
ome_zarr          OME-Zarr reader: pyramids in folders, chunk by chunk
openslide         slide reader on OpenSlide, for formats other than plain TIFF
pillow_file       opening of picture files with Pillow
pixel_size        plausible pixel size of a file
reader            choice of the image or mask reader of a file
reading           reading options of a file
source            image source: any box of a picture at any pyramid level
stream_headers    sizes in the headers of JPEG XL, JPEG XR and LERC
suffixes          suffixes of files that are read piece by piece
tiff              TIFF reader: pyramids, masks and label images, pixel size
tiff_page         tiles and strips of one TIFF page, decoded on demand
tiff_series       pyramid pages of the largest picture of a TIFF
"""
