"""The clock of the full audit."""

import threading
import time
from pathlib import Path

import pytest

from lakeproof.errors import CouldNotLook
from lakeproof.lake.publish import full_audit
from lakeproof.lake.publish.full_audit import Audited, AuditLook, FullAudit
from lakeproof.lake.publish.service import Service, health_page
from lakeproof.lake.sources.source import OLTP, SHOP, Source
from lakeproof.stack.settings import LakeSettings, Settings
from lakeproof.stack.stack import Stack

STACK = Stack(Settings(name="none", lake=LakeSettings(audit_seconds=5)))
WRONG = "an order without items"
PASSED, FAILED = Audited(None, 30, "bb"), Audited(WRONG, 30, "aa", of_newest=True, freezes=True)


class Hook:
    """Gives the answers one after another, then passes.

    after: the hash that each audit was asked to begin after. asked: set once all answers were given.
    """

    def __init__(self, *answers: Audited | Exception) -> None:
        self.answers = list(answers)
        self.after: list[str | None] = []
        self.asked = threading.Event()

    def __call__(self, stack: Stack, source: Source, after: str | None) -> Audited:
        self.after.append(after)
        if not self.answers:
            self.asked.set()
            return PASSED
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def test_a_finding_stays_until_an_audit_passes_and_not_looking_changes_nothing() -> None:
    outcomes: list[str] = []
    hook = Hook(FAILED, CouldNotLook("trino is away"), KeyError("rows"), PASSED, PASSED)
    audit = FullAudit(STACK, hook, lambda look: outcomes.append(look.outcome))
    found = []
    for _ in range(5):
        audit.look()
        found.append(audit.freezing)
    assert found == [{"oltp": WRONG}] * 3 + [{}, {}]
    assert outcomes == ["failed", "unknown", "unknown", "passed", "passed"]
    assert hook.after == [None, "aa", "aa", "aa", "bb"]


def test_a_publisher_that_is_started_anew_goes_on_where_the_last_audit_ended(tmp_path: Path) -> None:
    """It began two minutes back, and what was published before, while it was away or not yet judged, never was."""
    place = tmp_path / "data" / "audited-through"
    FullAudit(STACK, Hook(PASSED), remembered_in=place).look()
    hook = Hook(PASSED)
    FullAudit(STACK, hook, remembered_in=place).look()
    assert hook.after == ["bb"]


def test_an_audit_whose_place_cannot_be_kept_is_one_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("no folder")
    outcomes: list[str] = []
    place = tmp_path / "data" / "audited-through"
    FullAudit(STACK, Hook(PASSED), lambda look: outcomes.append(look.outcome), remembered_in=place).look()
    assert outcomes == ["passed"]


def test_hashes_that_it_did_not_come_to_never_count_as_passed(caplog: pytest.LogCaptureFixture) -> None:
    outcomes: list[str] = []
    hook = Hook(
        FAILED, Audited(None, 30, "bb", waiting=7), Audited(WRONG, 30, "cc", waiting=7, of_newest=True, freezes=True)
    )
    audit = FullAudit(STACK, hook, lambda look: outcomes.append(look.outcome))
    for _ in range(3):
        audit.look()
    assert audit.freezing == {"oltp": WRONG}
    assert outcomes == ["failed", "unknown", "failed"]
    assert "did not come to 7 of the published hashes" in caplog.text


def test_a_wrong_hash_of_the_past_is_told_and_freezes_nothing() -> None:
    """Whole hashes follow it: to keep them off main would help no reader."""
    looks: list[AuditLook] = []
    hook = Hook(FAILED, Audited(WRONG, 30, "bb"))
    audit = FullAudit(STACK, hook, looks.append)
    audit.look()
    assert audit.freezing == audit.broken == {"oltp": WRONG}
    audit.look()
    assert audit.freezing == audit.broken == {}
    assert [(look.outcome, look.why) for look in looks] == [("failed", WRONG)] * 2


def test_what_freezes_nothing_is_told_as_broken_too_also_while_no_audit_can_look() -> None:
    hook = Hook(Audited(WRONG, 1, "aa", of_newest=True), CouldNotLook("trino is away"))
    audit = FullAudit(STACK, hook)
    for _ in range(2):
        audit.look()
        assert (audit.freezing, audit.broken) == ({}, {"oltp": WRONG})
    audit.look()
    assert audit.broken == {}


@pytest.fixture
def both(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two databases are captured."""
    monkeypatch.setattr(full_audit, "present", lambda stack: (OLTP, SHOP))


class Hooks:
    """Gives each database its own answers."""

    def __init__(self, **hooks: Hook) -> None:
        self.hooks = hooks

    def __call__(self, stack: Stack, source: Source, after: str | None) -> Audited:
        return self.hooks[source.name](stack, source, after)


@pytest.mark.usefixtures("both")
def test_each_database_is_audited_by_itself_and_goes_on_where_its_own_last_audit_ended(tmp_path: Path) -> None:
    place = tmp_path / "audited-through"
    looks: list[AuditLook] = []
    oltp, shop = Hook(CouldNotLook("trino is away")), Hook(Audited(None, 3, "s1"), KeyError("rows"))
    audit = FullAudit(STACK, Hooks(oltp=oltp, shop=shop), looks.append, remembered_in=place)
    audit.look()
    audit.look()
    assert [(look.database, look.outcome) for look in looks] == [
        ("oltp", "unknown"),
        ("shop", "passed"),
        ("oltp", "passed"),
        ("shop", "unknown"),
    ]
    assert (oltp.after, shop.after) == ([None, None], [None, "s1"])
    again = Hooks(oltp=Hook(), shop=Hook())
    FullAudit(STACK, again, remembered_in=place).look()
    assert (again.hooks["oltp"].after, again.hooks["shop"].after) == (["bb"], ["s1"])


def test_nothing_is_told_of_a_database_whose_capture_was_stopped_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    """The publisher has forgotten it by then, and would show its age for ever."""
    captured = [OLTP, SHOP]
    monkeypatch.setattr(full_audit, "present", lambda stack: tuple(captured))

    def hook(stack: Stack, source: Source, after: str | None) -> Audited:
        if source is SHOP:
            captured.remove(SHOP)
        return PASSED

    looks: list[AuditLook] = []
    FullAudit(STACK, hook, looks.append).look()
    assert [look.database for look in looks] == ["oltp"]


@pytest.mark.usefixtures("both")
def test_backup_follows_only_where_every_database_was_found_whole() -> None:
    clean: list[str] = []
    oltp = Hook(*(Audited(None, 3, f"o{turn}") for turn in range(1, 5)))
    shop = Hook(Audited(None, 1, "s1"), Audited(WRONG, 1, "s2"), CouldNotLook("postgres"), Audited(None, 1, "s3"))
    audit = FullAudit(STACK, Hooks(oltp=oltp, shop=shop), clean=clean.append)
    for _ in range(4):
        audit.look()
    # The hash that the first of them came to: the others came at least as far.
    assert clean == ["o1", "o4"]


@pytest.mark.usefixtures("both")
def test_what_freezes_stays_while_its_database_cannot_be_looked_at_and_goes_with_its_capture(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hooks = Hooks(oltp=Hook(FAILED, CouldNotLook("mysql gives no answer")), shop=Hook(Audited(WRONG, 1, "s1")))
    audit = FullAudit(STACK, hooks)
    audit.look()
    audit.look()
    assert audit.freezing == {"oltp": WRONG}
    monkeypatch.setattr(full_audit, "present", lambda stack: (SHOP,))
    audit.look()
    assert audit.freezing == {}


def run_until_all_were_given(audit: FullAudit, hook: Hook, monkeypatch: pytest.MonkeyPatch) -> None:
    """On its own thread, without the minute between two audits."""
    monkeypatch.setattr(STACK.settings.lake, "audit_seconds", 0.01)
    audit.start()
    try:
        assert hook.asked.wait(10)
    finally:
        audit.stop()


def test_an_error_that_nobody_foresaw_does_not_end_the_audits(monkeypatch: pytest.MonkeyPatch) -> None:
    hook = Hook(RuntimeError("a connection pool that was closed"), TypeError("None has no rows"))
    audit = FullAudit(STACK, hook)
    run_until_all_were_given(audit, hook, monkeypatch)


def test_what_cannot_be_told_of_an_audit_does_not_end_the_audits(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    told: list[str] = []

    def tell(look: AuditLook) -> None:
        told.append(look.outcome)
        if len(told) < 3:
            raise KeyError("commits")

    hook = Hook(FAILED, PASSED)
    audit = FullAudit(STACK, hook, tell)
    run_until_all_were_given(audit, hook, monkeypatch)
    assert told[:2] == ["failed", "passed"]
    assert audit.freezing == {}  # the second audit passed, whether or not that could be told
    assert "KeyError: 'commits'" in caplog.text


def test_health_tells_what_the_newest_audit_could_not_do_and_the_publisher_stays_well() -> None:
    service = Service(STACK)
    audit = FullAudit(STACK, Hook(PASSED, KeyError("rows")), service._note_audit)
    assert audited_at(service) is None
    service.metrics.expect_audit("oltp")
    started = audited_at(service)
    assert started is not None and time.time() - started < 600  # its age counts from the publisher's first look
    audit.look()
    looked = audited_at(service)
    assert looked is not None and looked > started
    audit.look()
    service.metrics.expect_audit("oltp")
    status, body = health_page(service.health)
    told = body["full_audit"]
    assert isinstance(told, dict)
    assert (status, told["oltp"]["outcome"], told["oltp"]["why"]) == (200, "unknown", "KeyError: 'rows'")
    assert audited_at(service) == looked
    assert audits(service, "unknown") == 1.0
    # Nothing is late of a database that is not captured any more.
    service.metrics.forget("oltp")
    assert audited_at(service) is None


def audited_at(service: Service) -> float | None:
    labels = {"database": "oltp"}
    return service.metrics.registry.get_sample_value("lakeproof_publish_full_audit_timestamp_seconds", labels)


def audits(service: Service, outcome: str) -> float | None:
    labels = {"database": "oltp", "outcome": outcome}
    return service.metrics.registry.get_sample_value("lakeproof_publish_full_audits_total", labels)


@pytest.mark.parametrize(
    ("audited", "is_fresh"),
    [
        (Audited(None, 10, "bb", waiting=20, got_on=True), True),
        (Audited(None, 1, "bb", waiting=20), False),  # the newest alone, each minute, and none of the others
        (Audited(None, 10, "bb", passed_over=20, got_on=True), False),
        (Audited(WRONG, 1, "bb", waiting=20), False),
        (Audited(WRONG, 1, "bb"), True),
    ],
)
def test_an_audit_is_stale_where_it_does_not_keep_up_with_what_is_published(audited: Audited, is_fresh: bool) -> None:
    service = Service(STACK)
    service.metrics.expect_audit("oltp")
    started = audited_at(service)
    FullAudit(STACK, Hook(audited), service._note_audit).look()
    looked = audited_at(service)
    assert started is not None and looked is not None and (looked > started) is is_fresh
    assert audits(service, "passed") == 0.0


@pytest.mark.parametrize(("took", "pause"), [(2.0, 3.0), (4.0, 2.0), (6.0, 3.0)])
def test_audits_begin_at_their_pace_and_rest_for_half_the_time_that_they_take(
    took: float, pause: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counted from its end, an audit that uses up its 30 s came every 90 s, and fell behind what was published."""
    clock, pauses = [100.0], list[float]()

    def audited(stack: Stack, source: Source, after: str | None) -> Audited:
        clock[0] += took
        return PASSED

    def wait(seconds: float) -> bool:
        pauses.append(seconds)
        if len(pauses) == 3:
            audit.stop()
        return False

    audit = FullAudit(STACK, audited)
    monkeypatch.setattr(audit._wake, "wait", wait)
    monkeypatch.setattr("lakeproof.lake.publish.full_audit.time.monotonic", lambda: clock[0])
    audit._run()
    assert pauses == [5.0, pause, pause]


def test_an_audit_that_is_asked_for_does_not_wait_for_its_time_and_the_one_after_it_does() -> None:
    hook = Hook()
    audit = FullAudit(STACK, hook)
    audit.start()
    (thread,) = [each for each in threading.enumerate() if each.name == "full audit" and each.is_alive()][-1:]
    try:
        audit.hurry()
        assert hook.asked.wait(STACK.settings.lake.audit_seconds / 2)
        time.sleep(0.3)  # were it asked again and again, it would have been by now
        assert len(hook.after) == 1
    finally:
        audit.stop()
    thread.join(STACK.settings.lake.audit_seconds / 2)
    assert not thread.is_alive()
