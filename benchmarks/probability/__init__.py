"""Benchmarks of sliding-window inference: fusion beside other tools, memory, the network, workers, kills, a GPU."""
