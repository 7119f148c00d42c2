"""The desk's pages: a list and one incident, rendered here, without scripts and without files from elsewhere."""

from fastapi import FastAPI
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined

from lakeproof.incidents.footnotes import format_time
from lakeproof.incidents.status import Status
from lakeproof.incidents.store import Store

# Nothing may be loaded or run: an alert's text that slips through would still be dead text.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; form-action 'none'; frame-ancestors 'none'"


def add_pages(app: FastAPI, store: Store) -> None:
    """Add `/` and `/incidents/ID`."""
    templates = Environment(
        loader=PackageLoader("lakeproof.incidents"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    templates.filters["time"] = lambda at: format_time(at) if at else ""

    def page(name: str, **values: object) -> HTMLResponse:
        return HTMLResponse(
            templates.get_template(name).render(**values), headers={"Content-Security-Policy": POLICY}
        )

    @app.get("/", response_class=HTMLResponse, include_in_schema=False)
    def show_list(status: Status | None = None) -> HTMLResponse:
        """All incidents, newest first."""
        return page("list.html", incidents=store.newest_first(status), statuses=list(Status), chosen=status)

    @app.get("/incidents/{name}", response_class=HTMLResponse, include_in_schema=False)
    def show_incident(name: str) -> HTMLResponse:
        """One incident."""
        return page("incident.html", incident=store.get(name))
