"""When a gap in the topic is bridged, and when nothing is touched: by what the job says of it."""

from pathlib import Path

import pytest
from tests.doubles.plugins import OURS

from lakeproof.arguments import parse_arguments
from lakeproof.diagnosis.causes import load_causes
from lakeproof.errors import InvalidInput
from lakeproof.lake.capture import gap, missed, reading_anew, topic_gap
from lakeproof.lake.capture.difference import Difference, Event
from lakeproof.lake.capture.missed import NOT_BROUGHT
from lakeproof.lake.capture.rewriting import TakenOut
from lakeproof.lake.sources import mariadb
from lakeproof.lake.sources.source import OLTP, SOURCES, Source
from lakeproof.mitigations.capture_gaps import BridgeTopicGap
from lakeproof.mitigations.mitigation import all_mitigations
from lakeproof.probes import connect, flink, kafka
from lakeproof.probes.databases import log_lacks
from lakeproof.probes.probe import all_probes
from lakeproof.scenarios.folder import scenario_folders
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack

TORN = "transaction 0-1-7: END counts {oltp.order_items=2}, came {}"


@pytest.mark.parametrize(
    ("seen", "topic", "is_bridged"),
    [
        (TORN, [], True),
        (flink.PASSED_OVER, [], True),
        (None, [], True),
        (flink.NO_EXCEPTION, [], False),
        (flink.NO_EXCEPTION, ["cdc.oltp: made anew"], True),
        (flink.NO_EXCEPTION, ["cdc.oltp: retention.ms=1"], False),
    ],
)
def test_a_job_that_reads_its_topic_is_left_alone(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, seen: str | None, topic: list[str], is_bridged: bool
) -> None:
    """None: there is no job, so that nothing says that it would read on. A topic made anew is another one."""
    bridged: list[str] = []

    def bridge(stack: Stack, name: str) -> Difference:
        bridged.append(name)
        return Difference([Event("oltp.orders", "c", None, {"id": 1})], {"oltp.order_events": 2})

    monkeypatch.setattr(topic_gap, "bridge", bridge)
    monkeypatch.setattr(flink, "topic_gap", lambda *_: seen)
    monkeypatch.setattr(connect, "changed", lambda *_: [])
    monkeypatch.setattr(kafka, "changed_settings", lambda *_: topic)
    if is_bridged:
        assert BridgeTopicGap().run(stack) == (
            "rows that the lake lacked: 1 of oltp.orders; 2 rows of oltp.order_events stay, which takes none back;"
            " lake-oltp and connector orders go on from there"
        )
    else:
        with pytest.raises(InvalidInput, match="did not stop at a gap") as told:
            BridgeTopicGap().run(stack)
        assert "bridge_capture_gap" in str(told.value.next_action)
    assert bridged == (["orders"] if is_bridged else [])


@pytest.mark.parametrize("cause", ["connector_changed", "log_changed"])
@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
def test_what_is_proposed_for_a_changed_capture_is_not_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: Source, cause: str
) -> None:
    """The job reads its topic without trouble: what the capture missed is not in it. It was refused for that."""
    stack, did = Stack(Settings(state_dir=tmp_path)), list[str]()
    lacks = ["something"] if cause == "log_changed" else []

    def restored(*_: object) -> int:
        lacks.clear()
        return 0

    def read_anew(stack: Stack, name: str) -> TakenOut:
        did.append(f"read anew {name}")
        return TakenOut({}, {}, 1)

    def bridge(stack: Stack, name: str) -> Difference:
        did.append(f"bridged {name}")
        return Difference([])

    monkeypatch.setattr(flink, "topic_gap", lambda *_: flink.NO_EXCEPTION)
    monkeypatch.setattr(connect, "changed", lambda *_: ["skipped.operations"] if cause == "connector_changed" else [])
    monkeypatch.setattr(source.module, "log_lacks", lambda *_: list(lacks))
    monkeypatch.setattr(source.module, "restore_log", restored)
    monkeypatch.setattr(topic_gap, "bridge", bridge)
    monkeypatch.setattr(gap, "bridge", bridge)
    monkeypatch.setattr(reading_anew, "read_anew", read_anew)
    known = load_causes(all_probes(OURS), scenario_folders())
    (named,) = [one for one in known if one.id == f"{source.prefix('_')}{cause}"]
    for step in named.repairs:
        mitigation = all_mitigations(OURS)[step.id]
        parse_arguments(mitigation, step.arguments, step.id).run(stack)
        if step.id == "restore_log":
            assert log_lacks(stack, 1.0, source) == NOT_BROUGHT  # cut off here it is still named
    assert did == [f"bridged {source.connector}" if source.engine == "mysql" else f"read anew {source.connector}"]


def test_where_the_log_was_right_nothing_is_said_to_be_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack, restore = Stack(Settings(state_dir=tmp_path)), all_mitigations(OURS)["restore_log"]
    monkeypatch.setattr(mariadb, "log_lacks", lambda *_: [])
    monkeypatch.setattr(mariadb, "restore_log", lambda *_: 4)
    assert restore().run(stack) == "set right in MariaDB: nothing; 4 sessions ended"
    assert not missed.is_noted(stack, OLTP, missed.BY_LOG)
