"""The synthetic probe as a check: sent and counted, sent and not counted, refused, no metrics."""

from pathlib import Path

import pytest
from tests.conftest import Answering
from tests.doubles.plugins import OURS

from lakeproof.checks.check import CheckContext, all_checks
from lakeproof.checks.verdict import Outcome, Verdict
from lakeproof.deadline import Deadline
from lakeproof.errors import CouldNotLook
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack
from lakeproof_shop.scenarios.notification_failure import checks


class Service:
    """`counts`: what a sending adds to its metrics; `status`: what a sent notification becomes."""

    def __init__(self, counts: int = 1, status: str = "sent", refuses: int = 0) -> None:
        self.counts, self.status, self.refuses = counts, status, refuses
        self.sent = 0

    def answer(self, method: str, path: str, body: bytes) -> tuple[int, object]:
        if path == "/metrics":
            total = f"# TYPE notification_sent counter\nnotification_sent_total {self.sent}\n"
            took = "# TYPE notification_send_latency_seconds summary\n"
            return 200, f"{total}{took}notification_send_latency_seconds_count {self.sent}\n".encode()
        if self.refuses:
            return self.refuses, {"error": "no"}
        if path.endswith("/send"):
            self.sent += self.counts
            return 200, {"id": "n1", "status": self.status}
        return 201, {"id": "n1", "status": "pending"}


def looked(tmp_path: Path, where: str) -> Verdict:
    stack = Stack(Settings(state_dir=tmp_path, endpoints={"notification-service": {"http": where}}))
    context = CheckContext(stack, Deadline(10.0))
    before = checks.ProbeSent().baseline(context)
    verdict = checks.ProbeSent().verify(context, before)
    assert verdict.outcome is before.verdict.outcome
    return verdict


@pytest.mark.parametrize(
    ("service", "outcome", "words"),
    [
        (Service(), Outcome.PASSED, "notification_sent_total +1"),
        (Service(counts=0), Outcome.FAILED, "the metrics did not go up"),
        (Service(status="failed"), Outcome.FAILED, "it was made, and is failed"),
        (Service(refuses=503), Outcome.FAILED, "answered 503"),
    ],
)
def test_it_holds_where_the_message_was_sent_and_counted(
    tmp_path: Path, answering: Answering, service: Service, outcome: Outcome, words: str
) -> None:
    verdict = looked(tmp_path, answering(service.answer))
    assert verdict.outcome is outcome
    assert words in verdict.summary


def test_without_metrics_nothing_is_known(tmp_path: Path) -> None:
    with pytest.raises(CouldNotLook):
        looked(tmp_path, "127.0.0.1:9")


def test_it_is_done_last() -> None:
    assert all_checks(OURS)["probe_sent"].acts
