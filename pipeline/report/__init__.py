"""Report of a run: metrics per image and class, pictures, plots, and one page that opens from disk.

measures      metrics, averages, intervals, window borders: tables
page          HTML page: its sections and tables
paths         paths of all results that the report reads
pictures      overlays, plots, contact sheets, patch maps
store_notes   notes of a stage in a store of results
"""
