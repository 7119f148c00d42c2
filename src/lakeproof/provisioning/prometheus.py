"""Prometheus: its configuration and the rules of all scenarios."""

from lakeproof.observability import prometheus
from lakeproof.stack.stack import Stack


def prepare(stack: Stack) -> None:
    """Before each start: write the configuration, in the timing of the settings. Raises: InvalidInput."""
    stack.data_dir("prometheus").mkdir(parents=True, exist_ok=True)
    prometheus.write_config(stack, stack.settings.timing)
