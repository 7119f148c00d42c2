"""Whether every parcel is shipped once with its label, over parcels made up."""

from collections.abc import Sequence

import pytest

from lakeproof.checks.check import Baseline, CheckContext
from lakeproof.checks.verdict import Outcome, Verdict
from lakeproof.deadline import Deadline
from lakeproof.stack import postgres_session
from lakeproof.stack.stack import Stack
from lakeproof_shop.scenarios.fulfillment_delay import checks
from lakeproof_shop.scenarios.fulfillment_delay.checks import Parcel, judge


def parcel(number: int, status: str = "shipped", shipped: int = 1, *, wished: bool = False) -> Parcel:
    return Parcel(number, status, shipped, wished, "")


def test_what_was_shipped_once_or_came_back_or_waits_by_wish_passes() -> None:
    found = [parcel(1), parcel(2, "returned"), parcel(3, "cancelled", 0), parcel(4, "label_pending", 0, wished=True)]
    verdict = judge(found, [], {"pending/4"})
    assert verdict.outcome is Outcome.PASSED
    assert (verdict.numbers["shipped"], verdict.numbers["wished"]) == (2, 1)


@pytest.mark.parametrize(
    ("found", "spoilt", "left", "words"),
    [
        ([parcel(1, "label_pending", 0)], [], set(), "1 parcels wait"),
        ([parcel(1, shipped=0)], [], set(), "1 are shipped without one event"),
        ([parcel(1)], [1], set(), "1 have no label under ready/"),
        ([parcel(1)], [], {"pending/1"}, "1 are shipped and still have a label under pending/"),
    ],
)
def test_what_waits_or_was_only_called_shipped_fails(
    found: list[Parcel], spoilt: list[int], left: set[str], words: str
) -> None:
    verdict = judge(found, spoilt, left)
    assert verdict.outcome is Outcome.FAILED
    assert words in verdict.summary and verdict.keys == ("parcel 1",)


def test_before_the_fault_parcels_may_be_under_way() -> None:
    assert judge([parcel(1, "requested", 0)], [], set(), waiting_is_fine=True).outcome is Outcome.PASSED


def test_a_parcel_that_waits_behind_many_newer_ones_is_found_and_the_verdict_says_of_which_it_speaks(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The oldest of four parcels waits, and the newest two are looked at."""
    status = {4: "shipped", 3: "shipped", 2: "shipped", 1: "label_pending"}
    address = dict.fromkeys(("name", "street", "postal_code", "city", "country"), "x")

    def read_rows(_stack: Stack, sql: str, newest: int, **_: object) -> list[Sequence[object]]:
        which = sql.partition("fulfillments f WHERE")[2]
        asked = [one for at, one in enumerate(status) if at < newest or f"'{status[one]}'" in which]
        return [(one, 7, address, [], status[one], int(status[one] == "shipped"), False) for one in asked]

    monkeypatch.setattr(checks, "read_rows", read_rows)
    monkeypatch.setattr(checks, "s3_client", lambda stack: None)
    monkeypatch.setattr(checks, "listed", lambda client, prefix: [])
    monkeypatch.setattr(checks, "is_whole", lambda client, key, sha256: True)

    def verify() -> Verdict:
        context = CheckContext(stack, Deadline(5))
        before = Baseline(Verdict("", Outcome.PASSED, ""))
        return checks.ParcelsShipped(newest=2, seconds=0.1).verify(context, before)

    found = verify()
    assert (found.outcome, found.summary, found.keys) == (Outcome.FAILED, "1 parcels wait", ("parcel 1",))
    status[1] = "shipped"
    assert verify().summary == "2 of 2 parcels (the newest 2, and all that wait) shipped, each once"


def test_without_postgresql_it_is_unknown(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object, **__: object) -> list[object]:
        raise ConnectionRefusedError

    monkeypatch.setattr(postgres_session, "select", away)
    context = CheckContext(stack, Deadline(5))
    before = Baseline(Verdict("", Outcome.PASSED, ""))
    verdict = checks.ParcelsShipped(seconds=0.1).verify(context, before)
    assert verdict.outcome is Outcome.UNKNOWN
