"""HTML page of the report: its sections, tables, and the templates that they fill.

border_section    section on window borders: table of fusions, worst seam, largest lonely region
content           content of the page of one data set, section by section
page              pages of one data set and of all, written
patch_tables      tables of a patch index: truth shares, missed lesions, spread
render            HTML from a template
sections          sections on images, patches, training and metrics
stain_section     section on stains: swatches, plots by centre
stains            stain estimates of the images, read with care, and their colours
tables            tables and cells: numbers written so that they cannot be misread
terminal          tables on a terminal
times_section     section on seconds and memory of the jobs, in a file of its own
window_coverage   windows evaluated and skipped, and truth that no window reached
"""
