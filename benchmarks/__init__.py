"""Our figures beside the peers', each pair on the same input in the same run; ``python -m benchmarks``."""
