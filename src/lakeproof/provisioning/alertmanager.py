"""Alertmanager: its routes, its receivers and their secrets."""

from lakeproof.observability import alertmanager
from lakeproof.stack.stack import Stack


def prepare(stack: Stack) -> None:
    """Before each start: write the configuration, in the timing of the settings."""
    stack.data_dir("alertmanager").mkdir(parents=True, exist_ok=True)
    alertmanager.write_config(stack, stack.settings.timing)
