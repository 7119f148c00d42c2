"""Benchmarks, one per module: each prints a ratio against a peer or a limit that it measured in the same run.

They measure Lakeproof from outside: a benchmark imports `lakeproof`, and nothing there imports a benchmark. They are
not installed; `lakeproof bench` finds them in a clone (lakeproof/cli/bench.py).
"""

from pathlib import Path

# A child process that imports a benchmark has to be told where they lie.
CLONE = Path(__file__).resolve().parents[1]
