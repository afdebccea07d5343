"""Patient splits: training, validation, test and cross-validation folds by patient, and near-duplicate images.

assign      patient split of a table of images
duplicates  near-duplicates by perceptual hash
folds       cross-validation folds by patient
validation  validation groups, drawn and then corrected by class
"""
