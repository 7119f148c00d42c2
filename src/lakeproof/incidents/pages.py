"""The desk's pages: the list, an incident, the runbook."""

from collections.abc import Iterable
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse

from lakeproof.incidents.documents import causes_of, unknown_of, verdicts_of
from lakeproof.incidents.footnotes import format_time, shown
from lakeproof.incidents.markdown import render_markdown
from lakeproof.incidents.status import Status
from lakeproof.incidents.store import Store
from lakeproof.observability.runbook import PREFIX, all_runbooks, find_runbook
from lakeproof.pages.page import Pages, language_of


def add_pages(app: FastAPI, store: Store, further_scenarios: Iterable[Path] = ()) -> None:
    """Add `/incidents`, `/incidents/ID`, `/runbook` and `/runbook/NAME`."""
    pages = Pages("lakeproof.incidents")
    pages.templates.filters |= {
        "time": lambda at: format_time(at) if at else "",
        "markdown": render_markdown,
        "shown": shown,
        "causes": causes_of,
        "unknown": unknown_of,
        "verdicts": verdicts_of,
    }

    @app.get("/incidents", response_class=HTMLResponse, include_in_schema=False)
    def show_list(request: Request, status: Status | None = None) -> HTMLResponse:
        """All incidents, newest first."""
        incidents = store.newest_first(status)
        return pages.render(request, "list.html", incidents=incidents, statuses=list(Status), chosen=status)

    @app.get("/incidents/{name}", response_class=HTMLResponse, include_in_schema=False)
    def show_incident(request: Request, name: str) -> HTMLResponse:
        """One incident."""
        return pages.render(request, "incident.html", incident=store.get(name), prefix=PREFIX)

    @app.get(PREFIX.rstrip("/"), response_class=HTMLResponse, include_in_schema=False)
    def show_runbooks(request: Request) -> HTMLResponse:
        """Every page of the runbook."""
        found = all_runbooks(further_scenarios, language_of(request))
        return pages.render(request, "runbooks.html", runbooks=found, prefix=PREFIX)

    @app.get(PREFIX + "{name}", response_class=HTMLResponse, include_in_schema=False)
    def show_runbook(request: Request, name: str) -> HTMLResponse:
        """What an alert's runbook_url points to."""
        text = find_runbook(name, language_of(request), further_scenarios)
        return pages.render(request, "runbook.html", 404 if text is None else 200, name=name, text=text)
