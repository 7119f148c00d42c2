"""Lakeproof: a realtime lakehouse that proves it recovers."""

import sys

__version__ = "0.1.0"

# httpx has a command line of its own, and imports click, rich and pygments for it wherever these are installed. That
# takes some two fifths of httpx's import, in each of our processes that uses httpx. None in sys.modules makes the
# import of httpx._main fail; httpx then works without a command line, as it does where the three are missing.
sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]
