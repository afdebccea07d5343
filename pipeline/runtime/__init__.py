"""Surroundings of a computation, which change no value and enter no code digest.

allocator    what becomes of memory that is freed
disk         bytes that a run writes at most
input_files  input files by content, and a record of size and date
job          log and workers of a job of the workflow
job_memory   memory of a job of each rule, and of the largest of each stage
measured     measured activations of networks and peaks of jobs
memory       arithmetic of the peaks of stages normalized and probability
peak         largest resident size of this process so far
progress     windows done, rate and time left, as a bar or in the log
threads      ordered work on several threads, and threads of torch that sleep while they wait
"""
