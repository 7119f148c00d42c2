"""The stack as a graph at `/`, and a page for each component."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse

from lakeproof.console.drawing import draw, state_of
from lakeproof.console.look import Look, Looking
from lakeproof.console.quantity import show_quantity
from lakeproof.console.scenario_facts import ScenarioFacts
from lakeproof.console.watcher import FIRST_SECONDS, Watcher
from lakeproof.console.way import BOXES, main_age
from lakeproof.incidents.status import ONGOING
from lakeproof.incidents.store import Store
from lakeproof.lake.sources.source import SOURCES
from lakeproof.pages.page import Pages
from lakeproof.processes import logfile
from lakeproof.processes.states import Health, State
from lakeproof.stack.components import all_components
from lakeproof.stack.stack import Stack

LOOK_SECONDS = 2.0
LOG_LINES = 60


def add_stack_pages(
    app: FastAPI,
    pages: Pages,
    stack: Stack,
    store: Store,
    facts: ScenarioFacts,
    look: Callable[[], Look] | None = None,
    first_wait: float = FIRST_SECONDS,
) -> Watcher[Look]:
    """Add `/`, `/components/NAME` and their live parts. `look` takes the place of the questions to the stack."""
    watcher = Watcher("console-look", look or Looking(stack).look, LOOK_SECONDS, first_wait=first_wait)

    def newest() -> Look:
        return watcher.newest() or Look(datetime.now(UTC), {}, unseen=("…",))

    _add_stack(app, pages, stack, store, newest)
    _add_components(app, pages, stack, facts, newest)
    return watcher


def _add_stack(app: FastAPI, pages: Pages, stack: Stack, store: Store, newest: Callable[[], Look]) -> None:
    external = stack.settings.mode == "external"

    def live(request: Request, template: str) -> HTMLResponse:
        seen = newest()
        drawn = {box.name for box in BOXES}
        beside = [
            (one, state_of(seen.parts[one.name]) if one.name in seen.parts else seen.absent)
            for one in all_components().values()
            if one.name not in drawn and (one.name in seen.parts or (one.replica_of is None and not external))
        ]
        running = [row for row in seen.parts.values() if state_of(row) not in (State.STOPPED, Health.UNKNOWN)]
        return pages.render(
            request,
            template,
            look=seen,
            drawing=draw(seen),
            beside=beside,
            running=len(running),
            healthy=sum(row.health is Health.HEALTHY for row in running),
            memory=show_quantity(sum(row.rss_bytes for row in running), "bytes"),
            ages=[
                (source.server, show_quantity(seen.figures[id_], "s"))
                for source in SOURCES
                if (id_ := main_age(source.name).id) in seen.figures
            ],
            firing=None if seen.alerts is None else [one for one in seen.alerts if one.state == "firing"],
            ongoing=sum(number for status, number in store.count_by_status().items() if status in ONGOING),
            external=external,
        )

    @app.get("/", response_class=HTMLResponse, include_in_schema=False)
    def show_stack(request: Request) -> HTMLResponse:
        """The stack along a record's way."""
        return live(request, "stack.html")

    @app.get("/live/stack", response_class=HTMLResponse, include_in_schema=False)
    def show_stack_now(request: Request) -> HTMLResponse:
        """The part of it that changes."""
        return live(request, "stack_live.html")


def _add_components(
    app: FastAPI, pages: Pages, stack: Stack, facts: ScenarioFacts, newest: Callable[[], Look]
) -> None:
    def component_page(request: Request, name: str, template: str) -> HTMLResponse:
        component = all_components().get(name)
        if component is None:
            return pages.render(request, "no_such.html", 404, what=name)
        seen, known = newest(), facts.newest()
        row = seen.parts.get(name)
        # Only who is signed in sees a log: it may hold rows of the databases, and other users cannot read its file.
        signed_in = request.state.session is not None
        log_path = Path(row.log) if row is not None and row.log else stack.log_path(name)
        return pages.render(
            request,
            template,
            component=component,
            row=row,
            state=seen.absent if row is None else state_of(row),
            look=seen,
            external=stack.settings.mode == "external",
            replicas=[one for one in all_components().values() if one.replica_of == name],
            alerts=None if seen.alerts is None else [one for one in seen.alerts if one.component == name],
            rules=dict(sorted(known.alerts.get(name, {}).items())),
            scenarios=known.touching.get(name, ()),
            signed_in=signed_in,
            lines=logfile.tail(log_path, LOG_LINES) if signed_in else [],
            rss=show_quantity(row.rss_bytes, "bytes") if row is not None else "",
        )

    @app.get("/components/{name}", response_class=HTMLResponse, include_in_schema=False)
    def show_component(request: Request, name: str) -> HTMLResponse:
        """One component."""
        return component_page(request, name, "component.html")

    @app.get("/live/components/{name}", response_class=HTMLResponse, include_in_schema=False)
    def show_component_now(request: Request, name: str) -> HTMLResponse:
        """The part of it that changes."""
        return component_page(request, name, "component_live.html")
