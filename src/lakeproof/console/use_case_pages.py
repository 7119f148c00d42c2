"""`/usecases`: what the lake is used for, and whether its data are as fresh as each use needs."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse

from lakeproof.console.quantity import show_quantity
from lakeproof.console.scenario_facts import ScenarioFacts
from lakeproof.console.watcher import FIRST_SECONDS, Watcher
from lakeproof.incidents.status import ONGOING
from lakeproof.incidents.store import Store
from lakeproof.observability.runbook import all_runbooks
from lakeproof.pages.page import Pages, language_of
from lakeproof.stack.stack import Stack
from lakeproof.use_cases.state import Freshness, look
from lakeproof.use_cases.use_case import use_cases

LOOK_SECONDS = 5.0
LOOKED_THROUGH, ENDED_SHOWN = 100, 10  # ended incidents are looked for among the newest 100, and at most 10 shown

type Looks = Mapping[str, Freshness]


def add_use_case_pages(
    app: FastAPI,
    pages: Pages,
    stack: Stack,
    store: Store,
    facts: ScenarioFacts,
    look_at_all: Callable[[], Looks] | None = None,
    first_wait: float = FIRST_SECONDS,
) -> Watcher[Looks]:
    """Add `/usecases` and `/usecases/NAME`. `look_at_all` takes the place of the questions to Prometheus."""

    desk = Pages("lakeproof.incidents")  # an incident's status in the desk's own words

    def ask() -> Looks:
        return {name: look(stack, use_case) for name, use_case in use_cases().items()}

    watcher = Watcher("console-use-cases", look_at_all or ask, LOOK_SECONDS, first_wait=first_wait)

    def live(request: Request, template: str, name: str | None = None, **more: Any) -> HTMLResponse:
        looks = watcher.newest() or {}
        shown = [one for one in use_cases().values() if name in (None, one.id)]
        titles = dict(all_runbooks(stack.settings.scenario_dirs, language_of(request)))
        hitting = facts.newest().hitting
        hit = {one.id: [(each, titles.get(each, each)) for each in hitting.get(one.id, ())] for one in shown}
        return pages.render(
            request,
            template,
            use_cases=shown,
            looks=looks,
            hit=hit,
            seconds=lambda value: show_quantity(value, "s"),
            **more,
        )

    @app.get("/usecases", response_class=HTMLResponse, include_in_schema=False)
    def show_all(request: Request) -> HTMLResponse:
        """Each use case with its freshness now."""
        return live(request, "use_cases.html")

    @app.get("/live/usecases", response_class=HTMLResponse, include_in_schema=False)
    def show_all_now(request: Request) -> HTMLResponse:
        """The part of it that changes."""
        return live(request, "use_cases_live.html")

    @app.get("/usecases/{name}", response_class=HTMLResponse, include_in_schema=False)
    def show_one(request: Request, name: str) -> HTMLResponse:
        """One use case: its question, its query, its tables."""
        if name not in use_cases():
            return pages.render(request, "no_such.html", 404, what=name)
        rows = (*store.ongoing()[::-1], *store.newest_first(most=LOOKED_THROUGH))
        concerned = [one for one in rows if name in one.use_cases and not one.merged_into]
        ongoing = {one.id: one for one in concerned if one.status in ONGOING}  # a new one is in both lists of `rows`
        ended = [one for one in concerned if one.status not in ONGOING][:ENDED_SHOWN]
        incidents = [*ongoing.values(), *ended]
        return live(request, "use_case.html", name, incidents=incidents, desk=partial(desk.say, request))

    return watcher
