"""Alertmanager: its routes, its receivers and their secrets."""

from lakeproof.observability import alertmanager
from lakeproof.observability.drill_windows import timing_now
from lakeproof.stack.stack import Stack


def prepare(stack: Stack) -> None:
    """Before each start: write the configuration, at the pace of a running drill, else at the stack's own."""
    stack.data_dir("alertmanager").mkdir(parents=True, exist_ok=True)
    alertmanager.write_config(stack, timing_now(stack))
