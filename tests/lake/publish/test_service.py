"""The publisher's loop over the databases, and what its /health says."""

import itertools
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.doubles.clock import Clock

from lakeproof.errors import TransientError
from lakeproof.lake.job import passing_over
from lakeproof.lake.job.bridging import bridging, let_main_move
from lakeproof.lake.job.sql_files import table_names
from lakeproof.lake.publish import service
from lakeproof.lake.publish.audit import AuditFailed
from lakeproof.lake.publish.full_audit import Audited, FullAudit
from lakeproof.lake.publish.publisher import Published, RoundFailed
from lakeproof.lake.publish.service import PAUSE_BEFORE_NEXT_SECONDS, STUCK_SECONDS, Health, Service, health_page
from lakeproof.lake.sources.source import OLTP, SHOP, SOURCES, Source
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack


class Rounds:
    """A publisher whose databases publish, wait for a checkpoint's rest (None) or fail, as told."""

    def __init__(self, outcomes: dict[str, Published | Exception | None]) -> None:
        self.outcomes = outcomes
        self.sees_next = False
        self.looks: list[str] = []
        self.frozen: list[bool] = []

    def round(self, source: Source, *, frozen: bool) -> Published | None:
        self.looks.append(source.name)
        self.frozen.append(frozen)
        outcome = self.outcomes[source.name]
        if isinstance(outcome, Exception):
            raise outcome
        self.sees_next = outcome is None
        return outcome

    def newest(self, database: str) -> dict[str, int]:
        return {f"a table of {database}": 900}

    def close(self) -> None:
        pass


def published(database: str) -> Published:
    return Published(f"hash of {database}", 7, {}, 0.1)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def service_of(stack: Stack, monkeypatch: pytest.MonkeyPatch, clock: Clock) -> Callable[[Rounds], Service]:
    """`service_of(rounds)`: a service in a stack where both databases are captured, which asks nobody."""
    monkeypatch.setattr(service, "present", lambda stack: SOURCES)
    return lambda rounds: Service(stack, rounds, clock)


@pytest.fixture(autouse=True)
def cleaned(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the clean-up was asked for; removing copies fails."""
    done: list[str] = []

    def fail(s3: object, nessie: object, database: str, *_: object) -> None:
        done.append(f"copies of {database}")
        raise TransientError("nessie is away")

    monkeypatch.setattr(service, "remove_expired_copies", fail)
    monkeypatch.setattr(service, "abort_old_uploads", lambda s3: done.append("uploads"))
    monkeypatch.setattr(service, "remove_old_manifests", lambda *_: 0)
    return done


def run_for(loop: Service, clock: Clock, seconds: float) -> list[float]:
    """Rounds with their pauses for so long; gives the pauses."""
    pauses: list[float] = []
    end = clock.now + seconds
    while clock.now < end:
        pauses.append(loop.round())
        clock.now += pauses[-1] + 1e-9
    return pauses


def test_a_round_under_way_is_well() -> None:
    status, body = health_page(Health(status="frozen", frozen="a foreign write", round_at=time.monotonic()))
    assert (status, body["status"], body["frozen"]) == (200, "frozen", "a foreign write")


def test_a_round_that_hangs_is_stuck() -> None:
    status, body = health_page(Health(status="healthy", round_at=time.monotonic() - STUCK_SECONDS - 1))
    assert (status, body["status"]) == (503, "stuck")


def test_the_rest_of_a_checkpoint_is_looked_for_soon_but_not_for_ever(
    service_of: Callable[[Rounds], Service], clock: Clock
) -> None:
    rounds = Rounds({"oltp": None, "shop": published("shop")})
    loop = service_of(rounds)
    usual = pytest.approx(Settings().lake.publish_seconds)
    assert loop.round() == pytest.approx(PAUSE_BEFORE_NEXT_SECONDS)
    clock.now += service.NEXT_SECONDS
    assert loop.round() == usual
    rounds.outcomes["oltp"] = published("oltp")
    clock.now += 0.4
    assert loop.round() == usual
    rounds.outcomes["oltp"] = None
    clock.now += 0.4
    assert loop.round() == pytest.approx(PAUSE_BEFORE_NEXT_SECONDS)


@pytest.mark.parametrize("failure", [RoundFailed("commit", TransientError("lost a race")), AuditFailed("a gap")])
def test_a_shop_that_fails_neither_slows_mariadbs_looks_nor_is_asked_more_often_than_each_second(
    failure: Exception, service_of: Callable[[Rounds], Service], clock: Clock
) -> None:
    rounds = Rounds({"oltp": None, "shop": failure})
    run_for(service_of(rounds), clock, 4.05)
    assert (rounds.looks.count("oltp"), rounds.looks.count("shop")) == (41, 5)


def test_a_mariadb_that_fails_is_asked_each_second_though_the_shops_next_is_in_sight(
    service_of: Callable[[Rounds], Service], clock: Clock
) -> None:
    rounds = Rounds({"oltp": RoundFailed("read", TransientError("away")), "shop": None})
    run_for(service_of(rounds), clock, 4.05)
    assert (rounds.looks.count("oltp"), rounds.looks.count("shop")) == (5, 41)


def test_each_database_has_its_usual_pause(service_of: Callable[[Rounds], Service], clock: Clock) -> None:
    rounds = Rounds({"oltp": published("oltp"), "shop": published("shop")})
    pauses = run_for(service_of(rounds), clock, 6.05)
    assert (rounds.looks.count("oltp"), rounds.looks.count("shop")) == (21, 7)
    assert max(pauses) == pytest.approx(Settings().lake.publish_seconds)


@pytest.mark.parametrize("failing, sound", [("oltp", "shop"), ("shop", "oltp")])
@pytest.mark.parametrize(
    "failure, status",
    [(RoundFailed("commit", TransientError("lost a race")), "degraded"), (AuditFailed("a gap"), "frozen")],
)
def test_what_fails_in_one_database_does_not_keep_the_other_from_being_published(
    failing: str, sound: str, failure: Exception, status: str, service_of: Callable[[Rounds], Service]
) -> None:
    loop = service_of(Rounds({failing: failure, sound: published(sound)}))
    loop.round()
    assert (loop.health.hash, loop.health.status) == (f"hash of {sound}", status)
    assert "lost a race" in str(loop.health.failing) or loop.health.frozen == "a gap"


def test_a_database_that_is_published_again_ends_its_own_refusal_and_no_other(
    service_of: Callable[[Rounds], Service], clock: Clock
) -> None:
    rounds = Rounds({"oltp": AuditFailed("a gap"), "shop": published("shop")})
    loop = service_of(rounds)
    loop.round()
    told = [str(loop.health.frozen)]
    rounds.outcomes["oltp"] = published("oltp")
    clock.now += service.PAUSE_AFTER_FAILURE_SECONDS
    loop.round()
    told.append(str(loop.health.frozen))
    assert told == ["a gap", "None"]
    assert (loop.health.status, loop.health.checkpoint) == ("healthy", 7)


def test_uploads_are_given_up_each_hour_though_removing_copies_fails(
    service_of: Callable[[Rounds], Service], clock: Clock, cleaned: list[str]
) -> None:
    loop = service_of(Rounds({"oltp": published("oltp"), "shop": published("shop")}))
    for seconds in (0.0, service.RETENTION_SECONDS, service.RETENTION_SECONDS, service.UPLOADS_SECONDS):
        clock.now += seconds
        loop.round()
    copies = ["copies of oltp", "copies of shop"]
    assert cleaned == [*copies, "uploads", *copies, *copies, "uploads"]


class OldFiles:
    """What of Paimon's metadata was to be removed, and of which databases the next time begins anew."""

    def __init__(self) -> None:
        self.removed: list[tuple[str, dict[str, int], int]] = []
        self.forgotten: list[str] = []

    def remove(self, database: str, newest: dict[str, int], kept: int) -> int:
        self.removed.append((database, newest, kept))
        raise TransientError("the store keeps one")

    def forget(self, database: str) -> None:
        self.forgotten.append(database)


@pytest.fixture
def old_files(monkeypatch: pytest.MonkeyPatch) -> OldFiles:
    files = OldFiles()
    monkeypatch.setattr(service, "OldMetadata", lambda s3: files)
    return files


def test_old_manifests_go_every_five_minutes_in_every_database_whatever_fails(
    service_of: Callable[[Rounds], Service], clock: Clock, monkeypatch: pytest.MonkeyPatch, old_files: OldFiles
) -> None:
    """Also where another clean-up fails first, and though one database after the other takes its time."""
    asked: list[tuple[float, str, float]] = []

    def remove(s3: object, database: str, tables: tuple[str, ...], kept_seconds: float) -> int:
        assert tables == table_names(database)
        asked.append((clock.now, database, kept_seconds))
        clock.now += 0.3  # it takes its time
        raise ValueError("a file of theirs is cut")

    monkeypatch.setattr(service, "remove_old_manifests", remove)
    run_for(service_of(Rounds({"oltp": published("oltp"), "shop": published("shop")})), clock, 1600)
    assert {kept for *_, kept in asked} == {Settings().lake.readable_seconds + 300}
    for name in ("oltp", "shop"):
        times = [at for at, database, _ in asked if database == name]
        assert len(times) == 6
        assert all(300 <= later - earlier <= 370 for earlier, later in itertools.pairwise(times))


def test_a_publisher_that_pauses_for_minutes_is_well_and_cleans_up_as_often_as_any(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: Clock, cleaned: list[str], old_files: OldFiles
) -> None:
    monkeypatch.setattr(service, "present", lambda stack: SOURCES)
    settings = Settings.model_validate({"state_dir": tmp_path, "lake": {"publish_seconds": 600}})
    rounds = Rounds({"oltp": published("oltp"), "shop": published("shop")})
    loop = Service(Stack(settings), rounds, clock)
    pauses = run_for(loop, clock, 599)
    assert max(pauses) <= service.RETENTION_SECONDS and cleaned.count("copies of shop") == 9
    assert rounds.looks == ["oltp", "shop"]
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + 590)
    assert health_page(loop.health)[0] == 200


def test_old_metadata_of_each_database_is_removed_every_minute_though_removing_copies_fails(
    old_files: OldFiles, service_of: Callable[[Rounds], Service], clock: Clock
) -> None:
    loop = service_of(Rounds({"oltp": published("oltp"), "shop": published("shop")}))
    loop.round()
    assert old_files.removed == []
    clock.now += 60
    loop.round()
    assert [(database, newest) for database, newest, _ in old_files.removed] == [
        ("oltp", {"a table of oltp": 900}),
        ("shop", {"a table of shop": 900}),
    ]
    assert all(20 <= kept < 900 for _, _, kept in old_files.removed)


def test_what_an_audit_found_keeps_main_as_it_is_but_for_a_repair_after_which_it_looks_again(
    service_of: Callable[[Rounds], Service], clock: Clock, stack: Stack
) -> None:
    """The repair compares with new states, and main is whole once it shows what the repair has written."""
    rounds = Rounds({"oltp": None, "shop": None})
    loop = service_of(rounds)
    audit = FullAudit(
        loop._stack, lambda *_: Audited("an order without items", 1, "aa", of_newest=True, freezes=True)
    )
    loop._full_audit = audit

    def next_round() -> tuple[list[bool], str | None, bool]:
        rounds.frozen.clear()
        clock.now += 60
        loop.round()
        asked = audit._wake.is_set()
        audit._wake.clear()
        return rounds.frozen, loop.health.frozen, asked

    audit.look()
    assert next_round() == ([True, True], "an order without items", False)
    assert loop.health.broken == {"oltp": "an order without items"}
    for _ in range(2):
        with bridging(stack, OLTP):
            assert next_round() == ([True, True], "an order without items", False)
            let_main_move(stack, OLTP)
            assert next_round() == ([False, False], None, False)
            assert next_round() == ([False, False], None, False)
        assert next_round() == ([True, True], "an order without items", True)
        assert next_round() == ([True, True], "an order without items", False)
    with bridging(stack, SHOP):
        let_main_move(stack, SHOP)  # not for what is wrong in MariaDB's tables
        assert next_round() == ([True, True], "an order without items", False)


def test_main_shows_nothing_of_a_database_whose_rows_come_in_parts_and_says_where_that_repair_was_cut_off(
    service_of: Callable[[Rounds], Service], tmp_path: Path, clock: Clock
) -> None:
    rounds, stack = Rounds({"oltp": published("oltp"), "shop": None}), Stack(Settings(state_dir=tmp_path))
    looping = service_of(rounds)
    passing_over.hold_main(stack, SHOP)
    with bridging(stack, SHOP):
        looping.round()
    assert dict(zip(rounds.looks, rounds.frozen, strict=True)) == {"oltp": False, "shop": True}
    assert looping.health.databases == {"oltp": "healthy", "shop": "healthy"}
    looping.round()  # nobody repairs any more
    assert looping.health.databases == {"oltp": "healthy", "shop": "frozen"}
    assert looping.health.frozen == "a repair of shop is unfinished: lakeproof diagnose"
    passing_over.all_is_brought(stack, SHOP)
    clock.now += 60
    looping.round()
    assert rounds.frozen[-1] is False
    assert health_page(looping.health)[1]["frozen"] is None


def test_an_audit_that_ends_after_a_repair_is_followed_by_another(
    service_of: Callable[[Rounds], Service], clock: Clock, stack: Stack
) -> None:
    """It judged a hash from before the repair."""
    loop = service_of(Rounds({"oltp": None, "shop": None}))
    audit = FullAudit(
        loop._stack, lambda *_: Audited("an order without items", 1, "aa", of_newest=True, freezes=True)
    )
    loop._full_audit = audit
    with bridging(stack, OLTP):
        let_main_move(stack, OLTP)
        loop.round()
    audit.look()
    loop.round()
    assert audit._wake.is_set()


def test_a_database_that_is_not_captured_any_more_is_begun_anew(
    old_files: OldFiles,
    service_of: Callable[[Rounds], Service],
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loop = service_of(Rounds({"oltp": published("oltp"), "shop": published("shop")}))
    loop.round()
    monkeypatch.setattr(service, "present", lambda stack: SOURCES[:1])
    clock.now += service.PAUSE_AFTER_FAILURE_SECONDS
    loop.round()
    assert old_files.forgotten == ["shop"]
