"""Which claims an order breaks, from one row of sums."""

import pytest

from lakeproof.proof.tables.order_claims import NEWEST_EVENT, NO_ORPHANS, WHOLE_ORDERS, broken_of

# order id, orders, wanted items, items, total, amount, version, events, newest, gone
WHOLE = (1, 1, 2, 2, "12.50", "12.50", 3, 3, 3, 0)


def changed(**values: object) -> tuple[object, ...]:
    """WHOLE with some values replaced."""
    names = ("order_id", "orders", "wanted", "items", "total", "amount", "version", "events", "newest", "gone")
    return tuple(values.get(name, value) for name, value in zip(names, WHOLE, strict=True))


@pytest.mark.parametrize(
    ("row", "claims"),
    [
        (WHOLE, set()),
        (changed(items=1, amount="10.00"), {WHOLE_ORDERS}),
        (changed(amount="12.49"), {WHOLE_ORDERS}),
        (changed(orders=0, wanted=0, total="0.00", version=0, gone=1), {NO_ORPHANS}),
        (changed(orders=0, wanted=0, total="0.00", version=0), {NO_ORPHANS, NEWEST_EVENT}),
        (changed(orders=0, wanted=0, items=0, total="0", amount="0", version=0, gone=1), set()),
        (changed(version=2), {NEWEST_EVENT}),
        (changed(events=4), {NEWEST_EVENT}),
        (changed(events=2), {NEWEST_EVENT}),
        (changed(gone=1), {NEWEST_EVENT}),
    ],
)
def test_a_row_of_sums_tells_which_claims_are_broken(row: tuple[object, ...], claims: set[str]) -> None:
    assert {broken.claim for broken in broken_of([row])} == claims


def test_a_row_of_sums_with_null_breaks_a_claim_and_no_check() -> None:
    """An item whose order's id is NULL, and an order of which the lake has no total."""
    broken = broken_of(
        [changed(order_id=None, orders=0, wanted=0, version=0, events=0, newest=0), changed(total=None)]
    )
    assert {(one.claim, one.order_id) for one in broken} == {(NO_ORPHANS, None), (WHOLE_ORDERS, 1)}
