"""Sampling strategies of the patch index: positions, quotas, candidate pools, class frequencies, coverage."""
