"""The clock of the full audit."""

from lakeproof.errors import CouldNotLook
from lakeproof.lake.publish.full_audit import FullAudit
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack


def test_a_finding_stays_until_an_audit_passes_and_not_looking_changes_nothing() -> None:
    answers: list[str | CouldNotLook | None] = ["an order without items", CouldNotLook("trino is away"), None]

    def hook(stack: Stack) -> str | None:
        answer = answers.pop(0)
        if isinstance(answer, CouldNotLook):
            raise answer
        return answer

    outcomes: list[str] = []
    audit = FullAudit(Stack(Settings(name="none")), hook, outcomes.append)
    found = []
    for _ in range(3):
        audit.look()
        found.append(audit.finding)
    assert found == ["an order without items", "an order without items", None]
    assert outcomes == ["failed", "unknown", "passed"]
