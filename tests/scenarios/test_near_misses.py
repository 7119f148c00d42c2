"""Each scenario's near misses: there are some, their faults take their arguments, and each stays below its limit.

Near it as well: one far below would show little. Whether anybody is told of them, a drill sees (healthy_drill.py).
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.doubles.plugins import OURS

from lakeproof.arguments import parse_arguments
from lakeproof.diagnosis.cause import Step
from lakeproof.drills.healthy_drill import least_minutes
from lakeproof.drills.plan import DrillPlan
from lakeproof.drills.run import TIMING_FACTOR
from lakeproof.lake.capture.columns import declared_columns, differences
from lakeproof.lake.publish.service import CALL_SECONDS
from lakeproof.lake.sources.source import OLTP
from lakeproof.probes.kafka import LARGE_ROWS
from lakeproof.probes.probe import TIMEOUT_SECONDS, all_probes
from lakeproof.scenarios.catalog import load_catalog
from lakeproof.stack.database_sessions import LEAK_PERCENT
from lakeproof.stack.engines.mysql import MAX_CONNECTIONS
from lakeproof.stack.engines.trino import USER_RUNNING
from lakeproof.stack.settings import InventorySettings, NotificationSettings
from lakeproof_shop.scenarios.flink_restarts.faults import ADDED, COLUMN, TABLE
from lakeproof_shop.scenarios.fulfillment_delay.probes import LATE_MINUTES
from lakeproof_shop.scenarios.replication_lag.faults import LINES
from lakeproof_shop.services.order.requests import MAX_ITEMS

DOCUMENT = Path(__file__).parents[2] / "docs" / "drills.md"
CATALOG = load_catalog()
NEAR_MISSES = [(name, miss) for name, scenario in CATALOG.scenarios.items() for miss in scenario.near_misses]


def _crowded(given: Any) -> float:
    settings = NotificationSettings()
    within = given.messages * settings.notification_rate_window_seconds / given.seconds
    return float(within / settings.notification_rate_limit)


def _faltering(given: Any) -> float:
    timeline = all_probes(OURS)["support-timeline-p95"].healthy
    assert timeline is not None
    most = {"fulfillment-service": float(str(timeline.value))}.get(
        given.component, min(TIMEOUT_SECONDS, CALL_SECONDS)
    )
    return float(given.seconds / most)


def _type(given: Any) -> float:
    declared = declared_columns(OLTP)[TABLE]
    here = {TABLE: {COLUMN: given.kind.lower()}}
    found = differences(here, {TABLE: {COLUMN: declared[COLUMN]}})
    return 2.0 if found.unreadable else 1.0


# Fault → what share of its limit it comes to, by its arguments. At 1 it is still below (a floor, a number of places).
SHARES: dict[str, Callable[[Any], float]] = {
    "crowded_campaign": _crowded,
    "extreme_value": lambda given: (ADDED + MAX_ITEMS) / (2**31 - 1),
    "faltering_process": _faltering,
    "flooded_resource_group": lambda given: given.queries / USER_RUNNING,
    "held_parcels": lambda given: given.hold_minutes / LATE_MINUTES,
    "large_transaction": lambda given: (given.rows // (2 * LINES)) * 2 * LINES / LARGE_ROWS,
    "leaked_sessions": lambda given: given.sessions / (MAX_CONNECTIONS * LEAK_PERCENT / 100),
    "retyped_column": _type,
    "shortened_ttl": lambda given: InventorySettings().reservation_ttl_floor_seconds / given.ttl,
    # A whole core; which share of that the job wants is the machine's matter.
    "starved_process": lambda given: 100 / given.percent,
}


def told(miss: Step) -> str:
    return " ".join((miss.id, *(f"{name}={value}" for name, value in miss.args)))


@pytest.mark.parametrize("name", CATALOG.scenarios)
def test_a_scenario_has_a_near_miss(name: str) -> None:
    scenario = CATALOG.scenarios[name]
    assert scenario.near_misses
    played = [scenario.fault, *(other.fault for other in scenario.others.values())]
    assert not set(scenario.near_misses) & set(played)


@pytest.mark.parametrize(("name", "miss"), NEAR_MISSES, ids=[f"{name} {told(miss)}" for name, miss in NEAR_MISSES])
def test_a_near_miss_is_below_its_limit_and_near_it(name: str, miss: Step) -> None:
    given = parse_arguments(CATALOG.faults[miss.id], miss.arguments, miss.id)
    share = SHARES[miss.id](given)
    assert 0.5 < share <= 1, f"{told(miss)}: {share:.0%} of the limit"
    component = miss.arguments.get("component")
    assert component is None or component in CATALOG.scenarios[name].components


def test_no_near_miss_comes_twice() -> None:
    """Of one that is on record already a second one is refused."""
    misses = [miss for _, miss in NEAR_MISSES]
    assert len(misses) == len(set(misses))


def test_the_document_tells_how_many_there_are_and_how_long_they_take() -> None:
    plan = DrillPlan(tuple(CATALOG.scenarios.values()), calm=True)
    text = " ".join(DOCUMENT.read_text(encoding="utf-8").split())
    found = re.search(r"each of the (\d+) near misses.{0,200}?so ([\d.]+) minutes in all", text)
    assert found is not None
    least = least_minutes(plan, [miss for _, miss in NEAR_MISSES], TIMING_FACTOR["drill"])
    assert (int(found[1]), float(found[2])) == (len(NEAR_MISSES), least)
