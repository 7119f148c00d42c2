"""The console draws what Grafana draws: each committed dashboard, panel by panel."""

import re

import pytest
from fastapi.testclient import TestClient
from tests.console.prometheus_double import prometheus

from lakeproof.console.dashboards import DRAWN, Dashboard, Panel, read_dashboards
from lakeproof.console.panel_answers import ask_chart, ask_figures, ask_table
from lakeproof.console.quantity import UNITS, scale_of
from lakeproof.stack.stack import Stack

DASHBOARDS = read_dashboards()
OVERVIEW = DASHBOARDS["dataflow-overview"]


def panel(type_: str, *queries: str, unit: str = "s", **more: object) -> Panel:
    targets = [{"expr": query, "legendFormat": f"{query} {{{{job}}}}"} for query in queries]
    given = {"id": 1, "type": type_, "title": "x", "gridPos": {"h": 8, "w": 8, "x": 0, "y": 0}, "targets": targets}
    return Panel.model_validate(given | {"fieldConfig": {"defaults": {"unit": unit, **more}}})


@pytest.mark.parametrize("dashboard", DASHBOARDS.values(), ids=lambda one: one.uid)
def test_the_console_draws_every_panel_of_every_dashboard(dashboard: Dashboard) -> None:
    assert {one.type for one in dashboard.all_panels()} <= DRAWN
    for one in dashboard.all_panels():
        assert one.fields.overrides == [], f"{one.title}: overrides are not drawn"
        assert one.shown.unit in UNITS, one.title
        assert not any("$" in target.expr for target in one.targets), (
            f"{one.title}: Grafana's variables are not known"
        )


def test_every_panel_stands_on_the_page_and_the_page_asks_nothing(client: TestClient) -> None:
    page = client.get("/dashboards/dataflow-overview").text
    for one in OVERVIEW.all_panels():
        assert one.title.replace("&", "&amp;") in page, one.title
    assert len(re.findall("data-chart=", page)) == sum(one.type == "timeseries" for one in OVERVIEW.all_panels())
    assert 'href="/dashboards/dataflow-overview"' in client.get("/dashboards").text


def test_the_chosen_time_is_kept_and_another_one_is_an_hour(client: TestClient) -> None:
    assert "/charts/10?span=6h" in client.get("/dashboards/dataflow-overview?span=6h").text
    assert "?span=1h" in client.get('/dashboards/dataflow-overview?span="><script>').text


@pytest.mark.parametrize("path", ["nothing", "dataflow-overview/panels/99999", "..%2Fteams"])
def test_another_dashboard_or_panel_is_404(client: TestClient, path: str) -> None:
    assert client.get(f"/dashboards/{path}").status_code == 404
    assert client.get("/dashboards/dataflow-overview/charts/99999").status_code == 404


def test_no_address_brings_an_expression_of_its_own(stack: Stack) -> None:
    known = {target.expr for one in OVERVIEW.all_panels() for target in one.targets}
    chart = next(one for one in OVERVIEW.all_panels() if one.type == "timeseries")
    with prometheus(stack, {}) as (asking, asked):
        ask_chart(asking, chart, 3600)
        assert asked and {question["query"] for question in asked} <= known


def test_without_prometheus_a_panel_says_why(client: TestClient) -> None:
    stat = next(one for one in OVERVIEW.all_panels() if one.type == "stat")
    chart = next(one for one in OVERVIEW.all_panels() if one.type == "timeseries")
    assert "no answer" in client.get(f"/dashboards/dataflow-overview/panels/{stat.id}").text
    answer = client.get(f"/dashboards/dataflow-overview/charts/{chart.id}")
    assert answer.status_code == 503 and "no answer" in answer.json()["error"]


def test_a_chart_holds_one_value_for_each_time_in_a_readable_unit(stack: Stack) -> None:
    with prometheus(stack, {}) as (asking, asked):
        empty = ask_chart(asking, panel("timeseries", "a", unit="bytes"), 900)
    assert empty.series == [] and len(empty.times) == 181
    start, step = empty.times[0] + 450, empty.times[1] - empty.times[0]
    series = [{"metric": {"job": "kafka"}, "values": [[start, "NaN"], [start + step, str(3 * 2**30)]]}]
    with prometheus(stack, {"a": series}) as (asking, asked):
        found = ask_chart(asking, panel("timeseries", "a", unit="bytes"), 900)
    (name, values) = found.series[0]
    assert (name, found.unit, len(values)) == ("a kafka", "GiB", len(found.times))
    assert [value for value in values if value is not None] == [3.0]
    assert asked[0]["step"] == "5"


def test_a_stat_has_the_colour_of_its_threshold_and_its_word_for_nothing(stack: Stack) -> None:
    steps = [{"color": "green", "value": None}, {"color": "red", "value": 1}]
    one = panel("stat", "a", unit="short", thresholds={"mode": "absolute", "steps": steps}, noValue="-")
    with prometheus(stack, {"a": [{"metric": {}, "value": [0, "2"]}]}) as (asking, _):
        assert [(each.text, each.colour) for each in ask_figures(asking, one)] == [("2", "bad")]
    with prometheus(stack, {}) as (asking, _):
        assert [each.text for each in ask_figures(asking, one)] == ["-"]


def test_a_table_joins_its_queries_by_the_labels_that_they_share(stack: Stack) -> None:
    def of(name: str, value: str) -> dict[str, object]:
        return {"metric": {"__name__": "x", "component": name}, "value": [0, value]}

    results = {"a": [of("kafka", "0"), of("redis", "1")], "b": [of("redis", "0.5")]}
    given = panel("table", "a", "b", unit="")
    for target in given.targets:
        target.legend = target.expr
    with prometheus(stack, results) as (asking, _):
        table = ask_table(asking, given)
    assert table.heads == ["component", "a", "b"]
    assert table.rows == [["kafka", "0", "no data"], ["redis", "1", "0.5"]]


@pytest.mark.parametrize(
    ("largest", "unit", "factor", "name"),
    [
        (3 * 2**30, "bytes", 2**-30, "GiB"),
        (500.0, "bytes", 1, "B"),
        (8000.0, "ms", 1e-3, "s"),
        (0.02, "s", 1e3, "ms"),
        (0.0, "s", 1e3, "ms"),
        (600.0, "s", 1 / 60, "min"),
        (0.25, "percentunit", 100, "%"),
        (50.0, "short", 1, ""),
        (2e6, "short", 1e-6, "M"),
        (4.0, "reqps", 1, "/s"),
    ],
)
def test_an_axis_has_one_readable_unit(largest: float, unit: str, factor: float, name: str) -> None:
    found, shown = scale_of(largest, unit)
    assert found == pytest.approx(factor) and shown == name
