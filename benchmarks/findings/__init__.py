"""Trials of the report: planted faults that it has to show, a data set of many images, a map of a billion pixels."""
