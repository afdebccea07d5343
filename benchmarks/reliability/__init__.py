"""Attempts to lose data: kills, full disks, power cuts and flipped bits, on a run made for it; ``python -m benchmarks.reliability``.

attempts     attempts, their outcomes, and their notes
bit_flips    single bits of every kind of file, read in every way
content      content of results, and where two contents differ
full_disk    disks of sizes between nothing and just enough
kills        SIGKILL of the workflow, its jobs, Dask workers, predictions
power_cuts   bytes lost that were not flushed
scene        the run made for it, and its state before each stage
summary      tables of outcomes
system_calls bytes that were not flushed, from a trace of system calls
"""
