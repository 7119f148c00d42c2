"""object-store-exporter: counts objects by bucket and prefix, and the room left, for any S3 store."""

from lakeproof.stack.component import Component, Scrape
from lakeproof.stack.python_module import answers_ok, run_module

COMPONENTS = (
    Component(
        name="object-store-exporter",
        kind="service",
        command=run_module("lakeproof.observability.object_store_exporter"),
        ready=answers_ok(
            "object-store-exporter", "It answers. Whether the store answers is a metric, not its health."
        ),
        scrapes=(Scrape("http"),),
        start_seconds=60.0,
        summary="objects and room of the S3 store",
    ),
)
