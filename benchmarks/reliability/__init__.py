"""Attempts to lose data: kills, full disks, power cuts and flipped bits, on a run made for it; ``python -m benchmarks.reliability``.

attempts     attempts, their outcomes, and their notes
bit_flips    single bits of every kind of file, read in every way
content      content of results, and where two contents differ
full_disk    disks of sizes between nothing and just enough
job_kills    ends of single jobs at random moments
kills        SIGKILL of workflows, their jobs, Dask workers, predictions
lives        jobs run in children of a process that has imported everything
power_cuts   bytes lost that were not flushed
reproduce    the same run under other circumstances
scene        the run made for it, and its state before each stage
summary      tables of outcomes
system_calls bytes that were not flushed, from a trace of system calls
"""
