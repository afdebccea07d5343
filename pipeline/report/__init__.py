"""Report of a run: metrics per image and class, pictures, plots, and one page that opens from disk.

end_of_run     lines at the end of a run: path of the report, its headline, warnings
experiments    tables of experiments: measures and differences of the arms
measures       metrics, averages, intervals, window borders: tables
mixed_results  results of one kind that were made of different values
old_results    results of models, fusions and samplings that are no longer configured
origins        origins of results, and differences between two
page           HTML page: its sections and tables
paths          paths of all results that the report reads
pictures       overlays, plots, contact sheets, patch maps
run_warnings   warnings of a run, serious ones first
store_notes    notes of a stage in a store of results, and its record of origin
zoom           deep zoom of an image: layers at all levels, and their page
"""
