"""Segmentation: thresholds fitted, probability maps cut and cleaned, label images, outlines and a list of lesions.

clean             cleaning of masks: small components removed, holes filled
clean_map         probability map cleaned for all thresholds at once
false_positives   false positives in training images, the list of hard negatives
geojson           GeoJSON of polygons, as QuPath opens it
lesions           table of the lesions of a data set
minimum_areas     minimum areas from the truth of the training images
polygons          polygons with holes from masks
regions           connected components of the masks as features, with their probabilities
segment           segmentation of one image: masks, label image, outlines
smoothing         probability map smoothed by a Gaussian or guided by the image
threshold         best threshold of each class, by Dice
threshold_file    threshold fitting on the held-out images; thresholds written and read
truth_outlines    outlines of the truth of an image, to be corrected elsewhere
"""
