"""Each source's probes ask about that source alone, and only where its capture is part of the stack."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import Answering
from tests.doubles.plugins import OURS
from tests.published_commit import published_commit

from lakeproof.errors import CouldNotLook
from lakeproof.lake.capture.slot import Slot
from lakeproof.lake.publish.commit import DatabaseState
from lakeproof.lake.sources.source import OLTP, SHOP, SOURCES, Source
from lakeproof.probes import flink, nessie, postgres, publisher
from lakeproof.probes.probe import all_probes
from lakeproof.stack.settings import LakeSettings, Settings
from lakeproof.stack.stack import Stack

PROBES = all_probes(OURS)
KINDS = {
    source: {name.removeprefix(f"{source.name}-") for name in PROBES if name.startswith(f"{source.name}-")}
    for source in SOURCES
}
TWINS = sorted(KINDS[OLTP] & KINDS[SHOP])


def stack_of(component: str, address: str, state_dir: Path) -> Stack:
    return Stack(Settings(mode="external", state_dir=state_dir, endpoints={component: {"http": address}}))


def test_a_source_has_every_kind_of_probe_that_another_one_has_but_what_its_engine_alone_knows() -> None:
    assert len(TWINS) >= 18
    # The component shop-capture has a name that begins like the source's.
    assert KINDS[OLTP] ^ KINDS[SHOP] == {
        *("binlog-place", "slot-state"),
        *("capture-answers", "capture-ready", "capture-restarts"),
    }
    for kind in TWINS:
        mine, its = PROBES[f"oltp-{kind}"], PROBES[f"shop-{kind}"]
        # Where nothing is captured, nobody asks for what the ticker and the connector leave behind.
        assert mine.within in (None, OLTP.exporter, "connect")
        assert SHOP.capture in (its.within, its.source), its.id
        assert (mine.unit, mine.healthy, mine.always) == (its.unit, its.healthy, its.always)


@pytest.mark.parametrize("kind", TWINS)
def test_a_question_about_one_source_names_nothing_of_another(kind: str) -> None:
    query = PROBES[f"shop-{kind}"].query
    assert not {OLTP.connector, OLTP.name, OLTP.job} & set(query.split("/"))
    assert "cdc.oltp" not in query and "lake-oltp" not in query and "oltp." not in query


@pytest.mark.parametrize(
    ("health", "oltp", "shop"),
    [
        ({"status": "frozen", "databases": {"oltp": "healthy", "shop": "frozen"}}, "healthy", "frozen"),
        ({"status": "degraded", "databases": {"oltp": "degraded", "shop": "healthy"}}, "degraded", "healthy"),
        ({"status": "stuck", "databases": {"oltp": "healthy", "shop": "healthy"}}, "stuck", "stuck"),
        ({"status": "starting", "databases": {}}, "starting", "starting"),
        # A publisher of before.
        ({"status": "degraded"}, "degraded", "degraded"),
    ],
)
def test_the_publishers_state_is_that_of_the_database(
    answering: Answering, tmp_path: Path, health: dict[str, Any], oltp: str, shop: str
) -> None:
    stack = stack_of("publisher", answering(lambda *_: (200, health)), tmp_path)
    assert publisher.publisher_status(stack, 1.0, OLTP) == oltp
    assert publisher.publisher_status(stack, 1.0, SHOP) == shop


@pytest.mark.parametrize(
    ("broken", "seen"),
    [
        ({}, "none"),
        ({"shop": "theirs"}, "none"),
        ({"oltp": "2 broken at 0e4b", "shop": "theirs"}, "2 broken at 0e4b"),
    ],
)
def test_what_an_audit_found_is_that_of_the_database(
    answering: Answering, tmp_path: Path, broken: dict[str, str], seen: str
) -> None:
    stack = stack_of("publisher", answering(lambda *_: (200, {"broken": broken})), tmp_path)
    assert publisher.audit_finding(stack, 1.0, OLTP) == seen
    assert publisher.audit_finding(stack, 1.0, SHOP) == broken.get("shop", "none")


def test_a_publisher_that_tells_of_no_audits_gives_no_finding(answering: Answering, tmp_path: Path) -> None:
    stack = stack_of("publisher", answering(lambda *_: (200, {"status": "healthy"})), tmp_path)
    with pytest.raises(CouldNotLook):
        publisher.audit_finding(stack, 1.0, OLTP)


def test_each_database_is_as_old_as_its_newest_heartbeat_on_main_whenever_that_was_published(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pauses = LakeSettings(checkpoint_seconds=10, shop_checkpoint_seconds=180)
    stack = Stack(Settings(state_dir=tmp_path, lake=pauses))
    now = datetime.now(UTC)

    def beat_us(seconds: float) -> int:
        return int((now - timedelta(seconds=seconds)).timestamp() * 1e6)

    # Both were published just now, with heartbeats of long before: an empty publish makes nothing fresher.
    shop = DatabaseState(3, None, beat_us(200), {"payments": 1}, now)
    commit = published_commit("ab", now, 9, None, beat_us(30), {"orders": 1}, now, {"shop": shop})
    monkeypatch.setattr(nessie, "_newest", lambda stack: commit)

    def age(database: Source) -> float:
        return float(str(nessie.publish_age(stack, 1.0, database)))

    assert (round(age(OLTP), -1), round(age(SHOP), -1)) == (20, 20)
    commit = published_commit("ab", now, 9, None, None, {"orders": 1}, now, {})
    for database in (OLTP, SHOP):
        with pytest.raises(CouldNotLook, match=f"no heartbeat of {database.name} is published yet"):
            age(database)


def test_each_job_is_found_by_its_own_name(answering: Answering, tmp_path: Path) -> None:
    jobs = [
        {"jid": "a", "name": "lake-oltp", "state": "RUNNING", "start-time": 1},
        {"jid": "b", "name": "lake-shop", "state": "RESTARTING", "start-time": 2},
    ]
    stack = stack_of("flink-jobmanager", answering(lambda *_: (200, {"jobs": jobs})), tmp_path)
    assert (flink.job_state(stack, 1.0, OLTP), flink.job_state(stack, 1.0, SHOP)) == ("running", "restarting")
    jobs.pop()
    assert flink.job_state(stack, 1.0, SHOP) is None


@pytest.mark.parametrize(
    ("slot", "word"),
    [
        (Slot("lake", "reserved", True, 0), "kept"),
        (Slot("lake", "unreserved", False, 600_000_000), "kept"),
        (Slot("lake", "lost", False, None), "lost"),
        (None, None),
    ],
)
def test_a_slot_is_kept_lost_or_not_there(
    monkeypatch: pytest.MonkeyPatch, slot: Slot | None, word: str | None
) -> None:
    monkeypatch.setattr(postgres, "look", lambda stack, connector, timeout: slot)
    assert postgres.slot_state(object(), 1.0, SHOP) == word  # type: ignore[arg-type]
