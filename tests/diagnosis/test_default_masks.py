"""Which components mask a cause that does not say it, and what an entry of causes.yaml changes."""

from pathlib import Path

import pytest
import yaml
from tests.doubles.plugins import OURS

from lakeproof.diagnosis.cause import AnyOf, Evidence
from lakeproof.diagnosis.causes import load_causes
from lakeproof.diagnosis.component_causes import cause_ids, upstream
from lakeproof.diagnosis.default_masks import masking_components
from lakeproof.probes.condition import Condition, Operator
from lakeproof.probes.probe import all_probes
from lakeproof.probes.reading import Value
from lakeproof.scenarios.folder import scenario_folders
from lakeproof.stack.components import all_components

PROBES = all_probes(OURS)
ABOVE = upstream({name: one for name, one in all_components().items() if not one.on_demand})
STORE_WRITES = Evidence("store-writes", Condition(Operator.IS_NOT, "writable"))


def reads(probe: str, value: Value, operator: Operator = Operator.IS) -> Evidence:
    return Evidence(probe, Condition(operator, value))


def masking(*necessary: Evidence | AnyOf) -> set[str]:
    return set(masking_components(necessary, PROBES, ABOVE))


def test_a_job_that_ended_is_masked_by_all_that_its_job_manager_stands_on() -> None:
    assert masking(reads("oltp-job-state", "ended")) == {"flink-jobmanager", "flink-taskmanager", "kafka", "minio"}


@pytest.mark.parametrize(
    "by_hand",
    [
        reads("oltp-connector-state", "PAUSED"),
        Evidence("shop-slot-state", Condition(Operator.ABSENT)),
        reads("oltp-missing-privileges", 0, Operator.ABOVE),
        reads("cassandra-seed-answers", "refused"),
        AnyOf((reads("oltp-job-state", "ended"), reads("main-author", "lakeproof", Operator.IS_NOT))),
    ],
    ids=str,
)
def test_what_somebody_did_is_masked_by_no_component_whatever_else_is_seen(by_hand: Evidence | AnyOf) -> None:
    assert masking(by_hand) == set()
    assert masking(STORE_WRITES, by_hand) == set()


def test_another_word_of_the_same_probe_may_be_an_outage() -> None:
    assert "kafka" in masking(reads("oltp-connector-state", "UNASSIGNED"))


def test_what_is_seen_in_a_healthy_stack_too_masks_nothing() -> None:
    assert masking(STORE_WRITES, reads("oltp-capture-login", "accepted")) == {"minio"}


def test_only_what_may_bring_about_every_piece_masks() -> None:
    assert masking(STORE_WRITES, reads("oltp-job-state", "ended")) == {"minio"}
    assert masking(AnyOf((STORE_WRITES, reads("redis-room", "full")))) == {"minio", "redis"}


def test_a_cause_is_not_masked_by_one_that_it_masks_and_a_list_of_its_own_counts_instead(tmp_path: Path) -> None:
    wanting = {
        "says": {"vi": "lạ lắm", "en": "strange"},
        "necessary": [{"probe": "redis-room", "op": "==", "value": "odd"}],
        "repairs": [],
    }
    causes: list[dict[str, object]] = [
        {**wanting, "id": "odd_room", "masks": ["redis_unhealthy", "redis_full"]},
        {
            **wanting,
            "id": "other_room",
            "necessary": [{"probe": "redis-room", "op": "==", "value": "other"}],
            "masks": ["redis_full"],
            "masked_by_components": ["trino"],
        },
    ]
    (tmp_path / "causes.yaml").write_text(yaml.safe_dump({"causes": causes}))
    found = {one.id: set(one.masked_by) for one in load_causes(PROBES, scenario_folders() | {"odd": tmp_path})}
    assert found["odd_room"] == {*cause_ids("redis"), "nothing_runs"} - {"redis_unhealthy"}
    assert found["other_room"] == {*cause_ids("trino"), "nothing_runs"}
