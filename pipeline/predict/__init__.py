"""Prediction of new images by a trained model, through the functions of the stages.

new_image       one file to maps, masks, outlines and a picture
normalise       one file to a normalised store
options         what is asked for, and the paths of what was written
original_grid   masks on the pixel grid of the file
page            page of all predictions of a folder
places          names of the result files of an image
quick_look      picture of an image with outlines and a legend
recipe          normalisation of a model's images, or one made of settings
run_settings    parameters and thresholds of the run that the model came from
same_model      a model that changes while images are predicted
several         files and folders, one after the other
"""
