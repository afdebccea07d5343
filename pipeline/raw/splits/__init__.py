"""Splits: training, validation, test and folds by patient, and near-duplicate images."""
