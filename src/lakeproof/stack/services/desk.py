"""The incident desk: learns of an incident from Alertmanager's webhook or from a person, and keeps it."""

from lakeproof.stack.component import Component, Scrape
from lakeproof.stack.python_module import answers_ok, run_module

COMPONENTS = (
    Component(
        name="desk",
        kind="service",
        command=run_module("lakeproof.console.app"),
        ready=answers_ok("desk", "Its database answers."),
        scrapes=(Scrape("http"),),
        start_seconds=60.0,
        summary="incidents: timeline, owner, RCA",
    ),
)
