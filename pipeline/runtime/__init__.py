"""What surrounds a computation and changes no value: jobs, threads, the allocator, the memory model."""
