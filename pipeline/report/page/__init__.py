"""HTML page of the report: its sections, tables, and the templates that they fill.

A section is a row of the table `sections.SECTIONS`: a function of the facts, in a module of its own, and a template in
``templates/``.

borders_section          section on window borders: table of fusions, worst seam, largest lonely region
choice                   result that a page shows in full, chosen on validation images
facts                    facts of a data set and its results that the sections share
header                   header of a page: title, facts of the run, key figures
image_tables             tables of the images, and of the splits
images_section           section on images: left out, near-duplicates, flags, counts per split
metric_tables            tables of metrics: classes, averages, models and fusions side by side
metrics_section          section on metrics: results compared, the shown one in full
normalisation_section    section on normalisation: pairs of pictures before and after
overlays_section         section on overlays: prediction, errors, probability
page                     pages of one data set and of all, written
patch_tables             tables of a patch index: counts, truth shares, missed lesions, spread
patches_section          section on patches: plots, contact sheet, patch maps of each index
render                   HTML from a template
run_section              section on the run: configuration, code digests, versions
sections                 SECTIONS, the table of all sections in the order of the page
stain_tables             table of stains: swatches, angles, amounts
stains                   stain estimates of the images, read with care, and their colours
stains_section           section on stains: their table, plots by centre
tables                   tables and cells: numbers written so that they cannot be misread
terminal                 tables on a terminal
times_section            section on seconds and memory of the jobs, in a file of its own
training_section         section on training: curves of each model
window_coverage          windows evaluated and skipped, and truth that no window reached
"""
