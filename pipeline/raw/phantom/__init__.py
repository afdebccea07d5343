"""Phantoms: synthetic fundus photographs and H&E images with known truth, the built-in samples.

fundus     fundus phantom: lesions painted on a real retina
histology  H&E phantom: stain concentrations, composed by the law of Beer and Lambert
lesions    retinal lesions: microaneurysms, haemorrhages, hard and soft exudates
make       phantom of a number, in the world of its data set
shapes     record of a phantom; blobs, streaks and smooth noise
tissue     stained tissue: glands, nuclei and stroma as concentration maps
"""
