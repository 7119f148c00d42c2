"""Benchmarks, one per module: each prints a ratio against a peer or a limit that it measured in the same run."""
