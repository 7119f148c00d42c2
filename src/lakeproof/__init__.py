"""Lakeproof: a realtime lakehouse that proves it recovers."""

import sys

__version__ = "0.1.0"

# httpx has a command line of its own, and loads click, rich and pygments for it wherever these are installed: some
# two fifths of its import, in each of our processes that uses it. None halts the import of that one module; httpx
# then goes on without a command line, as it does where the three are missing.
sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]
