"""The numbers of report.json."""

from lakeproof.checks import others
from lakeproof.checks.verdict import Outcome, Verdict
from lakeproof.drills.report import data_of
from lakeproof.probes.reading import Value

NONE: dict[str, Value] = {"acknowledged": 0, "refused": 0, "unclear": 0}
CALLS: dict[str, Value] = {"acknowledged": 7995, "refused": 40, "unclear": 3}


def test_acknowledged_orders_are_not_mixed_with_acknowledged_calls() -> None:
    orders = Verdict("nothing lost", Outcome.PASSED, "", {"acknowledged": 5014, "unclear": 1, "lost": 0})
    calls = others.judge({}, CALLS, NONE, 0.01)
    for verdicts in ([orders, calls], [calls, orders]):
        data = data_of(verdicts)
        assert (data["acknowledged"], data["unclear"], data["lost"]) == (5014, 1, 0)


def test_without_the_claim_about_orders_nobody_has_counted_them() -> None:
    assert data_of([others.judge({}, CALLS, NONE, 0.01)])["acknowledged"] is None
