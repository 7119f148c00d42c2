"""What is looked at again once the named causes are mended."""

from datetime import UTC, datetime

from lakeproof.diagnosis.cause import Cause
from lakeproof.diagnosis.diagnosis import Diagnosis, Finding, Hidden, Seen
from lakeproof.drills.left_open import LeftOpen
from lakeproof.probes.reading import Reading


def finding(cause: str, *explains: str) -> Finding:
    return Finding(Cause(cause, "a-scenario", {}, (), (), (), (), (), ()), (), (), frozenset(explains))


def found(*named: Finding, unknown: str = "", hidden: str = "") -> Diagnosis:
    seen = [Seen(Reading(probe, 1, "", datetime.now(UTC), "", ""), "", "") for probe in unknown.split()]
    return Diagnosis(named, tuple(seen), tuple(Hidden(cause, "another") for cause in hidden.split()))


FULL = finding("database_full", "connections")
LEFT = LeftOpen.by(found(FULL, unknown="login", hidden="queue_full"), [FULL])


def names(findings: list[Finding]) -> list[str]:
    return [each.cause.id for each in findings]


def test_a_diagnosis_that_accounts_for_everything_leaves_nothing_open() -> None:
    assert not LeftOpen.by(found(FULL), [FULL])
    assert LeftOpen.by(found(FULL, unknown="login"), [FULL])
    assert LeftOpen.by(found(FULL, hidden="queue_full"), [FULL])


def test_a_new_cause_of_what_was_unknown_and_one_that_is_hidden_no_longer_are_named() -> None:
    later = found(finding("login_rejected", "login"), finding("queue_full"), finding("disk_full", "disk"))
    assert names(LEFT.causes(later)) == ["login_rejected", "queue_full"]
    assert LEFT.still(later) == ["login_rejected", "queue_full"]


def test_a_cause_that_is_mended_already_is_not_named_once_more() -> None:
    """It may still hold for a moment, and account for what was unknown."""
    assert LEFT.causes(found(finding("database_full", "connections", "login"))) == []


def test_what_is_unknown_or_hidden_still_is_waited_for_though_no_cause_is_named() -> None:
    later = found(unknown="login disk", hidden="queue_full")
    assert LEFT.causes(later) == []
    assert LEFT.still(later) == ["login", "queue_full"]
    assert LEFT.still(found()) == []
