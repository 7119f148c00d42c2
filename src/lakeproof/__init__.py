"""Lakeproof: a realtime lakehouse that proves it recovers."""

__version__ = "0.1.0"
