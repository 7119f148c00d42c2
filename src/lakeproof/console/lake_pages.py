"""`/lake`: what is published, how fresh it is, until when each state can be read, what audits and checks found."""

from collections.abc import Callable
from datetime import UTC, datetime

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse

from lakeproof.console.lake_look import LakeLook, look_at_lake
from lakeproof.console.quantity import show_quantity
from lakeproof.console.watcher import FIRST_SECONDS, Watcher
from lakeproof.incidents.drill_cards import parts_of
from lakeproof.lake.job.sql_files import table_names
from lakeproof.lake.sources.source import SOURCES
from lakeproof.observability.scenario_homes import find_scenario
from lakeproof.pages.page import Pages
from lakeproof.stack.stack import Stack

LOOK_SECONDS = 5.0


def add_lake_pages(
    app: FastAPI,
    pages: Pages,
    stack: Stack,
    look: Callable[[], LakeLook] | None = None,
    first_wait: float = FIRST_SECONDS,
) -> Watcher[LakeLook]:
    """Add `/lake` and its live part. `look` takes the place of the questions to Nessie and Prometheus."""
    watcher = Watcher("console-lake", look or (lambda: look_at_lake(stack)), LOOK_SECONDS, first_wait=first_wait)

    def live(request: Request, template: str) -> HTMLResponse:
        seen = watcher.newest()
        now = datetime.now(UTC)
        newest = seen.commits[0] if seen is not None and seen.commits else None
        databases = []
        for source in SOURCES:
            snapshots = dict(newest.tables_of(source.name)) if newest is not None else {}
            age = newest.age_seconds(source.name, now) if newest is not None else None
            tables = [(table, snapshots.get(table)) for table in sorted({*table_names(source.name), *snapshots})]
            databases.append((source, show_quantity(age, "s"), tables, bool(snapshots)))
        scenario = seen.check.scenario if seen and seen.check else None
        drilled = [
            (part, name if find_scenario(name, stack.settings.scenario_dirs) is not None else None)
            for part, name in (parts_of(scenario) if scenario else ())
        ]
        return pages.render(
            request,
            template,
            seen=seen,
            drilled=drilled,
            newest=newest,
            databases=databases,
            moment=now,
            audit_age=show_quantity((now - seen.audited_at).total_seconds(), "s") if seen and seen.audited_at else "",
            left=lambda commit: show_quantity((commit.readable_until - now).total_seconds(), "s"),
            readable_seconds=show_quantity(stack.settings.lake.readable_seconds, "s"),
        )

    @app.get("/lake", response_class=HTMLResponse, include_in_schema=False)
    def show_lake(request: Request) -> HTMLResponse:
        """The published lake."""
        return live(request, "lake.html")

    @app.get("/live/lake", response_class=HTMLResponse, include_in_schema=False)
    def show_lake_now(request: Request) -> HTMLResponse:
        """The part of it that changes."""
        return live(request, "lake_live.html")

    return watcher
