"""The publisher's loop over the databases, and what its /health says."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from lakeproof.deadline import Deadline
from lakeproof.errors import TransientError
from lakeproof.lake.job.databases import DATABASES
from lakeproof.lake.publish import service
from lakeproof.lake.publish.audit import AuditFailed
from lakeproof.lake.publish.publisher import Published, RoundFailed
from lakeproof.lake.publish.service import PAUSE_BEFORE_NEXT_SECONDS, STUCK_SECONDS, Health, Service, health_page
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack


class Rounds:
    """A publisher whose databases publish, wait for a checkpoint's rest (None) or fail, as told."""

    def __init__(self, outcomes: dict[str, Published | Exception | None]) -> None:
        self.outcomes = outcomes
        self.sees_next = False

    def round(self, database: str, *, frozen: bool) -> Published | None:
        outcome = self.outcomes[database]
        if isinstance(outcome, Exception):
            raise outcome
        self.sees_next = outcome is None
        return outcome

    def close(self) -> None:
        pass


def published(database: str) -> Published:
    return Published(database, f"hash of {database}", 7, {}, None, 0.1, 10)


@pytest.fixture
def service_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Rounds], Service]:
    """`service_of(rounds)`: a service in a stack where both databases are captured, which asks nobody."""
    monkeypatch.setattr(service, "present", lambda stack: DATABASES)
    return lambda rounds: Service(Stack(Settings(state_dir=tmp_path)), rounds)


def test_a_round_under_way_is_well() -> None:
    status, body = health_page(Health(status="frozen", frozen="a foreign write", round_at=time.monotonic()))
    assert (status, body["status"], body["frozen"]) == (200, "frozen", "a foreign write")


def test_a_round_that_hangs_is_stuck() -> None:
    status, body = health_page(Health(status="healthy", round_at=time.monotonic() - STUCK_SECONDS - 1))
    assert (status, body["status"]) == (503, "stuck")


def test_the_rest_of_a_checkpoint_is_looked_for_soon_but_not_for_ever(
    service_of: Callable[[Rounds], Service], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "NEXT_SECONDS", 0.2)
    rounds = Rounds({"oltp": None, "shop": None})
    loop = service_of(rounds)
    usual = Settings().lake.publish_seconds
    assert loop.round() == PAUSE_BEFORE_NEXT_SECONDS
    Deadline(0.25).pause(1)
    assert [loop.round(), loop.round()] == [usual, usual]
    rounds.outcomes["oltp"] = published("oltp")
    assert loop.round() == usual
    rounds.outcomes["oltp"] = None
    assert loop.round() == PAUSE_BEFORE_NEXT_SECONDS


@pytest.mark.parametrize("failing, sound", [("oltp", "shop"), ("shop", "oltp")])
@pytest.mark.parametrize(
    "failure, status",
    [(RoundFailed("commit", TransientError("lost a race")), "degraded"), (AuditFailed("a gap"), "frozen")],
)
def test_what_fails_in_one_database_does_not_keep_the_other_from_being_published(
    failing: str, sound: str, failure: Exception, status: str, service_of: Callable[[Rounds], Service]
) -> None:
    loop = service_of(Rounds({failing: failure, sound: published(sound)}))
    pause = loop.round()
    assert (loop.health.hash, loop.health.status) == (f"hash of {sound}", status)
    assert "lost a race" in str(loop.health.failing) or loop.health.frozen == "a gap"
    assert pause == service.PAUSE_AFTER_FAILURE_SECONDS


def test_a_database_that_is_published_again_ends_its_own_refusal_and_no_other(
    service_of: Callable[[Rounds], Service],
) -> None:
    rounds = Rounds({"oltp": AuditFailed("a gap"), "shop": published("shop")})
    loop = service_of(rounds)
    loop.round()
    told = [str(loop.health.frozen)]
    rounds.outcomes["oltp"] = published("oltp")
    loop.round()
    told.append(str(loop.health.frozen))
    assert told == ["a gap", "None"]
    assert (loop.health.status, loop.health.checkpoint) == ("healthy", 7)
