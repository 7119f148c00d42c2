"""lag-exporter: writes the heartbeats and measures the delay of change capture (observability/lag_exporter.py)."""

from lakeproof.stack.component import Component, Scrape
from lakeproof.stack.python_module import answers_itself, run_module

COMPONENTS = (
    Component(
        name="lag-exporter",
        kind="service",
        command=run_module("lakeproof.observability.lag_exporter", "lag-exporter"),
        ready=answers_itself("lag-exporter"),
        provision_needs=("mysql", "kafka", "connect"),
        scrapes=(Scrape("http"),),
        start_seconds=60.0,
        stop_seconds=6.0,
        summary="heartbeats, and the delay of change capture",
    ),
)
