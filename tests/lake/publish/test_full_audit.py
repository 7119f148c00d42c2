"""The clock of the full audit."""

import pytest

from lakeproof.errors import CouldNotLook
from lakeproof.lake.publish.full_audit import Audited, FullAudit
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack

WRONG = "an order without items"
PASSED, FAILED = Audited(None, 30, 0, "bb"), Audited(WRONG, 30, 0, "aa")


@pytest.fixture
def answers() -> list[Audited | CouldNotLook]:
    return []


@pytest.fixture
def asked() -> list[str | None]:
    """After which hash each audit was asked to begin."""
    return []


@pytest.fixture
def outcomes() -> list[str]:
    return []


@pytest.fixture
def audit(answers: list[Audited | CouldNotLook], asked: list[str | None], outcomes: list[str]) -> FullAudit:
    def hook(stack: Stack, after: str | None) -> Audited:
        asked.append(after)
        answer = answers.pop(0)
        if isinstance(answer, CouldNotLook):
            raise answer
        return answer

    return FullAudit(Stack(Settings(name="none")), hook, outcomes.append)


def test_a_finding_stays_until_an_audit_passes_and_not_looking_changes_nothing(
    audit: FullAudit, answers: list[Audited | CouldNotLook], asked: list[str | None], outcomes: list[str]
) -> None:
    answers += [FAILED, CouldNotLook("trino is away"), PASSED, PASSED]
    found = []
    for _ in range(4):
        audit.look()
        found.append(audit.finding)
    assert found == [WRONG, WRONG, None, None]
    assert outcomes == ["failed", "unknown", "passed", "passed"]
    assert asked == [None, "aa", "aa", "bb"]


def test_hashes_that_it_did_not_come_to_never_count_as_passed(
    audit: FullAudit,
    answers: list[Audited | CouldNotLook],
    outcomes: list[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    answers += [FAILED, Audited(None, 30, 7, "bb"), Audited(WRONG, 30, 7, "cc")]
    for _ in range(3):
        audit.look()
    assert audit.finding == WRONG
    assert outcomes == ["failed", "unknown", "failed"]
    assert "did not come to 7 of the published hashes" in caplog.text
