"""The desk's pages: the list, an incident, a runbook, rendered here, without scripts and files from elsewhere."""

from collections.abc import Iterable
from pathlib import Path

from fastapi import FastAPI
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined

from lakeproof.incidents.documents import causes_of, unknown_of, verdicts_of
from lakeproof.incidents.footnotes import format_time, shown
from lakeproof.incidents.markdown import render_markdown
from lakeproof.incidents.status import Status
from lakeproof.incidents.store import Store
from lakeproof.observability.runbook import PREFIX, Language, all_runbooks, find_runbook

# Nothing may be loaded or run: an alert's text that slips through would still be dead text.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; form-action 'none'; frame-ancestors 'none'"


def add_pages(app: FastAPI, store: Store, further_scenarios: Iterable[Path] = ()) -> None:
    """Add `/`, `/incidents/ID`, `/runbook` and `/runbook/NAME`."""
    templates = Environment(
        loader=PackageLoader("lakeproof.incidents"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    templates.filters |= {
        "time": lambda at: format_time(at) if at else "",
        "day": lambda at: f"{at:%Y-%m-%d %H:%M:%S}",
        "markdown": render_markdown,
        "shown": shown,
        "causes": causes_of,
        "unknown": unknown_of,
        "verdicts": verdicts_of,
    }

    def page(template: str, **values: object) -> HTMLResponse:
        return HTMLResponse(
            templates.get_template(template).render(**values), headers={"Content-Security-Policy": POLICY}
        )

    @app.get("/", response_class=HTMLResponse, include_in_schema=False)
    def show_list(status: Status | None = None) -> HTMLResponse:
        """All incidents, newest first."""
        return page("list.html", incidents=store.newest_first(status), statuses=list(Status), chosen=status)

    @app.get("/incidents/{name}", response_class=HTMLResponse, include_in_schema=False)
    def show_incident(name: str) -> HTMLResponse:
        """One incident."""
        return page("incident.html", incident=store.get(name), prefix=PREFIX)

    @app.get(PREFIX.rstrip("/"), response_class=HTMLResponse, include_in_schema=False)
    def show_runbooks() -> HTMLResponse:
        """Every page of the runbook."""
        return page("runbooks.html", runbooks=all_runbooks(further_scenarios), prefix=PREFIX)

    @app.get(PREFIX + "{name}", response_class=HTMLResponse, include_in_schema=False)
    def show_runbook(name: str, lang: Language = "en") -> HTMLResponse:
        """What an alert's runbook_url points to."""
        text = find_runbook(name, lang, further_scenarios)
        answer = page("runbook.html", name=name, language=lang, text=text)
        answer.status_code = 404 if text is None else 200
        return answer
