"""HTML page of the report: its sections, tables, and the templates that they fill.

choice          result that a page shows in full, and the best one
experiments_page   page of experiments, with their tables
facts           facts of a data set and its results that the sections share
first_screen    scores beside the trivial answer, best, median and worst image
header          header of a page: title, facts of the run, key figures
page            pages of one data set and of all, written
render          HTML from a template
sections        sections of the page of one data set, and the table of them
stains          stain estimates of the images, read tolerantly, and their colours
summary_json    headline figures, extremes and warnings as one JSON file
tables          tables and cells
times_page      seconds and memory of the jobs, on a separate page
"""
