"""shop-capture: PostgreSQL's tables in the lake.

Its process writes the heartbeats and measures the delay, as lag-exporter does for MariaDB, and watches the
replication slot; its provision makes the connector and submits the lake's job.

A component of its own, so that PostgreSQL can run for the services alone: then nothing is captured, and no slot keeps
WAL. Before it stops, it stops the connector and the job. The slot stays, and keeps WAL up to its bound until capture
goes on.
"""

from lakeproof.stack.component import Component, Hook, Scrape
from lakeproof.stack.python_module import answers_itself, run_module

NAME = "shop-capture"


COMPONENTS = (
    Component(
        name=NAME,
        kind="service",
        command=run_module("lakeproof.observability.lag_exporter", NAME),
        ready=answers_itself(NAME),
        uses=("publisher",),
        provision_needs=("postgres", "kafka", "connect", "flink-jobmanager"),
        hooks=(Hook.PROVISION, Hook.BEFORE_STOP),
        always_goodbye=True,
        scrapes=(Scrape("http"),),
        start_seconds=120.0,
        stop_seconds=6.0,
        in_plain_up=False,
        summary="PostgreSQL's tables in the lake: heartbeats, slot, connector, job",
    ),
)
