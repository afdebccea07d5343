"""Surroundings of a computation, which change no value and enter no code digest.

allocator      what becomes of memory that is freed
array_cache    cache of arrays, limited in bytes, for several threads
disk           bytes that the results of a run take
durations      durations of the stages of a run, from measured rates
full_disk      full disk that Snakemake comes upon, in plain words
input_records  records of input files: content, size and date
job            log and workers of a job of the workflow
job_memory     memory of a job of each rule, and of the largest of each stage
measured       measured activations of networks and peaks of jobs
memory         arithmetic of the peaks of stages normalized and probability
named_results  named results of images: each is of the image that its name says
peak           largest resident size of this process so far
processes      processes of this and of other hosts; children of a killed one
progress       windows done, rate and time left, as a bar or in the log
reasons        reasons of jobs, shortened for the terminal
run_lock       lock of a results folder, held by the main process of a run
store_marks    marks of Snakemake in stores, taken out at the end of a run
threads        ordered work on several threads, and threads of torch that sleep while they wait
tracking       tracking of trained models by MLflow, in a local database
torn_notes     notes of Snakemake that a power cut tore, or that are missing
"""
