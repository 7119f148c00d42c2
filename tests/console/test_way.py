import shutil
import subprocess
from itertools import pairwise

import pytest
from tests.console.conftest import START, row
from tests.observability.exported import exported, exporters_of

from lakeproof.console.drawing import draw, worst_state
from lakeproof.console.look import Look
from lakeproof.console.quantity import UNITS
from lakeproof.console.way import ARROWS, BOXES, SHOPPERS, STAGES, all_figures, whole_query
from lakeproof.observability.promql import find_selectors
from lakeproof.processes.states import Health, State
from lakeproof.stack.components import all_components


def test_each_box_is_a_component_and_stands_alone_at_its_place() -> None:
    assert {box.name for box in BOXES} - set(all_components()) == {SHOPPERS}
    assert len({(box.column, box.row) for box in BOXES}) == len(BOXES)
    assert {box.column for box in BOXES} == set(range(len(STAGES)))


def test_each_arrow_goes_forward_between_boxes_or_down() -> None:
    at = {box.name: box for box in BOXES}
    for arrow in ARROWS:
        start, end = at[arrow.start], at[arrow.end]
        assert start.column < end.column or (start.column == end.column and start.row < end.row), arrow


def test_each_figure_has_an_id_of_its_own_and_a_known_unit() -> None:
    ids = [one.id for one in all_figures()]
    assert len(set(ids)) == len(ids)
    assert {one.unit for one in all_figures()} <= UNITS


def test_prometheus_understands_the_question(tmp_path_factory: pytest.TempPathFactory) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed")
    rules = tmp_path_factory.mktemp("rules") / "figures.yml"
    rules.write_text(f"groups: [{{name: a, rules: [{{record: figures, expr: '{whole_query()}'}}]}}]")
    subprocess.run([promtool, "check", "rules", str(rules)], check=True, capture_output=True)


def test_a_figure_without_a_value_is_no_data_only_where_both_ends_are_healthy() -> None:
    parts = {name: row(name) for name in ("mysql", "connect")}
    texts = [text for way in draw(Look(START, parts)).ways for text in way.texts]
    assert texts == [("no data", "age of the newest heartbeat that came through")]
    assert [way.texts for way in draw(Look(START, {})).ways if way.texts] == []


def test_a_box_shows_the_worst_of_its_processes() -> None:
    healthy, paused = row("connect"), row("connect-2", State.PAUSED, Health.UNHEALTHY)
    assert worst_state([healthy, paused]) == "paused"
    box = next(
        place
        for place in draw(Look(START, {one.name: one for one in (healthy, paused)})).places
        if place.name == "connect"
    )
    assert (box.title, box.state) == ("Debezium ×2", "paused")
    assert worst_state([]) == "not started"


def test_every_state_has_its_rank() -> None:
    for state in State:
        for health in Health:
            assert worst_state([row("x", state, health)])


def test_somebody_exports_each_metric_of_a_figure_and_a_services_are_its_own() -> None:
    jobs = exported()
    for arrow in ARROWS:
        for figure in arrow.figures:
            for selector in find_selectors(figure.expression):
                found = exporters_of(selector.metric, jobs)
                assert found, figure
                if arrow.start.endswith("-service"):
                    assert arrow.start in found, figure


def test_no_figure_of_the_graph_hides_another_one() -> None:
    drawn = draw(Look(START, {}, {figure.id: 12345.0 for figure in all_figures()}))
    lines = [(way.x, way.y + 19 * number) for way in drawn.ways for number in range(len(way.texts))]
    for (x, y), (further_x, below) in pairwise(sorted(lines)):
        assert further_x > x or below - y >= 13, (x, y, below)
