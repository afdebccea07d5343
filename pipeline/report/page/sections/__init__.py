"""Sections of the page of one data set: a module each, and the table that puts them in order.

A section is a row of `table.SECTIONS`, a function of the facts, and a template in ``templates/``.

borders         window borders: table of fusions, worst seam, largest lonely region
every           every image: small pictures, facts, scores and flags in one table
hardest         hardest patches, and labels in doubt
images          images: left out, near-duplicates, flags, counts per split
metrics         metrics: results compared, the shown one in full
normalisation   normalisation: pairs of pictures before and after
overlays        overlays: prediction, errors, probability
patches         patches: plots, contact sheet, patch maps of each index
run             run: configuration, code digests, versions
stains          stains: their table, plots by centre
table           SECTIONS: name, title, template and function of each, in the order of the page
times           times and memory of the jobs: links to a page of its own
training        training: curves of each model
"""
