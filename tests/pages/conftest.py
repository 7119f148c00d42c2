"""The pages of a desk without engines."""

from tests.incidents.conftest import client, clock, engine, stack, store

__all__ = ("client", "clock", "engine", "stack", "store")
