"""Where are the lesions? Probability maps cut at fitted thresholds, cleaned, labelled, outlined and listed.

``threshold`` and ``clean`` decide about numbers and pixels, ``polygons`` draws outlines, ``labels`` tells viewers what a
label means; ``segment`` and ``lesions`` are the doors.
"""
