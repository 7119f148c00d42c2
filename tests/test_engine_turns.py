"""Which of the shop's tests on engines `make test` runs: each in one of three commits, the path's in all."""

import pytest
from tests.commit import ROOT
from tests.drills_real.scenarios import chosen_scenarios
from tests.engines.turns import TURNS, is_left_out

MODULES = sorted(path.stem for path in (ROOT / "tests" / "engines").glob("test_*.py"))
OF_THE_SHOP = {f"test_{name}" for turn in TURNS for name in turn}


def test_three_commits_in_a_row_test_every_module() -> None:
    assert set(MODULES) >= OF_THE_SHOP
    for module in MODULES:
        runs = [number for number in range(7, 10) if not is_left_out(module, number)]
        assert len(runs) == (1 if module in OF_THE_SHOP else 3), module


@pytest.mark.parametrize(
    ("scenario", "service"),
    [
        ("support-timeline", "support"),
        ("notification-failure", "notification_service"),
        ("ttl-oversell", "inventory_service"),
        ("fulfillment-delay", "fulfillment"),
    ],
)
def test_a_service_is_not_tested_in_the_turn_in_which_its_incident_is_drilled(scenario: str, service: str) -> None:
    drilled = [number for number in range(3) if scenario in chosen_scenarios(number)]
    assert [is_left_out(f"test_{service}", number) for number in drilled] == [True]


def test_nothing_of_the_path_is_left_out() -> None:
    path = {"connect", "flink", "integrity", "kafka", "mysql", "nessie", "publisher", "prometheus", "trino"}
    assert not OF_THE_SHOP & {f"test_{name}" for name in path}
