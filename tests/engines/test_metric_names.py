"""Every metric that contract, rules and dashboard name is there under its exact name, at its component.

One component after the other with what it needs, small closures first. A metric without a sample yet counts by its
declaration: its labels come with the first event.
"""

import re
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
import yaml

from lakeproof.deadline import Deadline
from lakeproof.observability.rules import PACKAGE
from lakeproof.processes.client import SupervisorClient
from lakeproof.stack import postgres_session
from lakeproof.stack.components import all_components, find
from lakeproof.stack.stack import Stack

pytestmark = [pytest.mark.engines, pytest.mark.proof, pytest.mark.timeout(400)]

SECONDS = 90.0
DECLARED = yaml.safe_load((PACKAGE / "observability" / "metrics.yml").read_text(encoding="utf-8"))
CONTRACT = yaml.safe_load((Path(__file__).parents[1] / "observability" / "contract.yml").read_text(encoding="utf-8"))
# Component → the metrics that rules, panels and the contract read of it.
NAMES = {
    name: sorted({metric.removesuffix("_bucket") for metric, job in DECLARED.items() if job == name})
    for name in all_components()
    if name in DECLARED.values()
}


def test_every_metric_of_the_contract_is_looked_for() -> None:
    assert set(CONTRACT["metrics"]) - {metric for names in NAMES.values() for metric in names} == set()


# What must run beside one that starts without it: the store's room is told only where there is a store.
BESIDE = {"object-store-exporter": ("minio",)}


@pytest.mark.parametrize("component", NAMES)
def test_a_component_has_its_metrics_under_their_exact_names(
    stack: Stack, up: Callable[..., SupervisorClient], component: str
) -> None:
    up(component, *BESIDE.get(component, ()))
    if component == "postgres-exporter":  # which tells of the slots that there are
        with postgres_session.connection(stack, "postgres", "postgres-root", 10.0, "shop", "public") as session:
            session.execute("SELECT pg_create_physical_replication_slot('by_hand', true)")
    missing = list(NAMES[component])

    def look() -> bool | None:
        text = "\n".join(
            httpx.get(f"{stack.url(component, scrape.port)}/metrics", trust_env=False, timeout=10.0).text
            for scrape in find(component).scrapes
        )
        missing[:] = [
            name for name in NAMES[component] if not re.search(rf"^(# TYPE )?{name}[ {{]", text, re.MULTILINE)
        ]
        return None if missing else True

    Deadline(SECONDS).wait_for(f"the metrics of {component}", look, seen=lambda: f"without {missing}")
