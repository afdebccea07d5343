"""Environment of a computation, which changes no value and enters no code digest.

allocator      freed memory, kept or returned to the system
array_cache    cache of arrays, limited in bytes, for several threads
disk           disk space of the results of a run
durations      durations of the stages of a run, from measured rates
failed_run     last line of a run that failed: images left out, or jobs that failed
full_disk      Snakemake's errors of a full disk in plain words
input_records  records of input files: content, size and date
job            log and workers of a job of the workflow
job_memory     memory of a job of each rule, and of the largest job of each stage
measured       measured activations of networks and peaks of jobs
memory         computed memory peaks of stages normalized and probability
named_results  check that each result of an image belongs to the image in its name
peak           largest resident size of this process so far
processes      processes of this and other hosts; children of a killed process
progress       windows done, rate and time left, as a bar or in the log
reasons        reasons of jobs, shortened for the terminal
run_lock       lock of a results folder, held by the main process of a run
store_marks    marks of Snakemake in stores, removed at the end of a run
threads        ordered work on several threads, and torch threads that sleep while waiting
tracking       tracking of trained models by MLflow, in a local database
torn_notes     notes of Snakemake that are missing or were torn by a power cut
unknown_target   a target that no rule makes, and the nearest that one does
unnoted_results  results without a note of Snakemake, compared by their own record of origin
"""
