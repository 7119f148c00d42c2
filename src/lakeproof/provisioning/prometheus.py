"""Prometheus: its configuration and the rules of all scenarios."""

from lakeproof.observability import prometheus
from lakeproof.observability.drill_windows import timing_now
from lakeproof.stack.stack import Stack


def prepare(stack: Stack) -> None:
    """Before each start: write the configuration, in the timing of a running drill, else in the stack's own.

    Raises: InvalidInput.
    """
    stack.data_dir("prometheus").mkdir(parents=True, exist_ok=True)
    prometheus.write_config(stack, timing_now(stack))
