"""`/dashboards`: the committed dashboards, drawn here. A panel asks for its numbers once the page is loaded."""

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response

from lakeproof.console.dashboards import DRAWN, ROW, Dashboard, Panel, read_dashboards
from lakeproof.console.panel_answers import ask_chart, ask_figures, ask_table
from lakeproof.errors import LakeproofError
from lakeproof.pages.page import Pages
from lakeproof.stack.stack import Stack

RANGES = {"15m": 900, "1h": 3600, "6h": 21_600, "24h": 86_400}
USUAL_RANGE = "1h"


def add_dashboard_pages(app: FastAPI, pages: Pages, stack: Stack) -> None:
    """Add `/dashboards`, `/dashboards/UID`, and what its panels ask."""
    dashboards = read_dashboards()

    def find(uid: str, id_: int, *types: str) -> Panel | None:
        panel = dashboards[uid].find(id_) if uid in dashboards else None
        return panel if panel is not None and panel.type in types else None

    @app.get("/dashboards", response_class=HTMLResponse, include_in_schema=False)
    def show_dashboards(request: Request) -> HTMLResponse:
        """The list of them."""
        return pages.render(request, "dashboards.html", dashboards=list(dashboards.values()))

    @app.get("/dashboards/{uid}", response_class=HTMLResponse, include_in_schema=False)
    def show_dashboard(request: Request, uid: str, span: str = USUAL_RANGE) -> HTMLResponse:
        """One dashboard; it asks nothing itself."""
        if uid not in dashboards:
            return pages.render(request, "no_such.html", 404, what=uid)
        chosen = span if span in RANGES else USUAL_RANGE
        return pages.render(
            request,
            "dashboard.html",
            dashboard=dashboards[uid],
            groups=groups_of(dashboards[uid]),
            drawn=DRAWN,
            spans=RANGES,
            span=chosen,
        )

    @app.get("/dashboards/{uid}/panels/{id_}", response_class=HTMLResponse, include_in_schema=False)
    def show_panel(request: Request, uid: str, id_: int) -> HTMLResponse:
        """A stat's or a table's numbers now."""
        panel = find(uid, id_, "stat", "table")
        if panel is None:
            return pages.render(request, "no_such.html", 404, what=f"{uid} {id_}")
        try:
            table = ask_table(stack, panel) if panel.type == "table" else None
            figures = ask_figures(stack, panel) if panel.type == "stat" else []
            why = ""
        except LakeproofError as error:
            table, figures, why = None, [], error.message
        return pages.render(request, "panel.html", panel=panel, table=table, figures=figures, why=why)

    @app.get("/dashboards/{uid}/charts/{id_}", include_in_schema=False)
    def give_chart(request: Request, uid: str, id_: int, span: str = USUAL_RANGE) -> Response:
        """A time series' numbers, for the page's script."""
        panel = find(uid, id_, "timeseries")
        if panel is None:
            return JSONResponse({"error": pages.say(request, "There is nothing here of that name.")}, 404)
        try:
            chart = ask_chart(stack, panel, RANGES.get(span, RANGES[USUAL_RANGE]))
        except LakeproofError as error:
            return JSONResponse({"error": error.message}, 503)
        return JSONResponse(
            {
                "times": chart.times,
                "names": [name for name, _ in chart.series],
                "values": [values for _, values in chart.series],
                "unit": chart.unit,
                "lines": chart.lines,
                "minimum": chart.minimum,
            }
        )


def groups_of(dashboard: Dashboard) -> list[tuple[Panel | None, list[Panel]]]:
    """Each row, with the panels below it, in the grid's order; None is the row of panels above the first row."""
    groups: list[tuple[Panel | None, list[Panel]]] = []
    for panel in sorted(dashboard.panels, key=lambda one: (one.place.y, one.place.x)):
        if panel.type == ROW:
            groups.append((panel, list(panel.panels or ())))
        else:
            if not groups:
                groups.append((None, []))
            groups[-1][1].append(panel)
    return groups
