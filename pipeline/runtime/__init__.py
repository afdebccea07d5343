"""Surroundings of a computation, which change no value and enter no code digest.

allocator   what becomes of memory that is freed
disk        bytes that a run writes at most
job         log and workers of a job of the workflow
memory      bytes that a job needs at most
peak        largest resident size of this process so far
threads     ordered work on several threads, and threads of torch that sleep while they wait
"""
