"""Prediction of new images by a trained model, through the functions of the stages.

new_image       from one file to maps, masks, outlines and a picture
normalise       from one file to a normalised store
options         options of a prediction, and the paths of its results
original_grid   masks on the pixel grid of the file
page            page of all predictions of a folder
places          names of the result files of an image
quick_look      picture of an image with outlines and a legend
recipe          normalisation of a model's images, or by settings
run_settings    parameters and thresholds of the model's run
same_model      refusal of a model that changes while images are predicted
several         files and folders, one after the other
"""
