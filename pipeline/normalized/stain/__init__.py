"""Chain of H&E images: stain estimation (Vahadane, Macenko, Reinhard) and stain transfer.

basis           stain basis and Lab statistics of a slide; the reference
checks          quality checks of estimated stains
colour_table    colour histogram of a slide, percentiles, and a sample of its pixels
concentrations  stain concentrations of pixels, in closed form
image           stain estimate and normalised image store of an H&E image
macenko         stain estimation by Macenko: the plane of optical densities
method          stain estimation and normalisation by the configured method
record          record of a stain estimate, ``stain.json``
reinhard        colour transfer by Reinhard: mean and deviation in CIE L*a*b*
target          stain target of a data set, ``target.json``
tissue          tissue mask of a slide
transfer        stain transfer: optical density, concentrations, target
vahadane        stain estimation by Vahadane: sparse dictionary learning
"""
