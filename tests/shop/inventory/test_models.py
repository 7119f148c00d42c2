"""What a change does to a line and its SKU's totals: whatever comes, in whatever order, stock adds up."""

import random
from datetime import UTC, datetime, timedelta
from uuid import UUID

from lakeproof_shop.services.inventory.models import Change, Line, Op, State, Totals, decide

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
LATER = NOW + timedelta(minutes=15)


def change(op: Op, number: int = 1, quantity: int = 1, digest: str = "d") -> Change:
    return Change(op, UUID(int=number), quantity, digest, NOW, LATER if op is not Op.RECEIVE else None)


def held(quantity: int = 1) -> Line:
    return Line(State.HELD, quantity, "d", LATER, NOW)


def test_what_is_not_on_hand_is_not_held() -> None:
    totals = Totals(1, received=5, sold=2, reserved=2)
    assert decide(change(Op.HOLD, quantity=2), None, totals, NOW).refused == "out_of_stock"
    assert decide(change(Op.HOLD, quantity=1), None, totals, NOW).totals.on_hand == 0


def test_the_same_hold_again_changes_nothing() -> None:
    totals = Totals(1, received=5, reserved=1, active=1)
    again = decide(change(Op.HOLD), held(), totals, NOW)
    assert (again.replayed, again.totals) == (True, totals)


def test_a_key_that_was_used_for_another_request_is_refused() -> None:
    assert decide(change(Op.HOLD, digest="other"), held(), Totals(1, 5, 0, 1, 1), NOW).refused == "key_reused"


def test_a_hold_whose_time_is_over_is_not_made() -> None:
    assert decide(change(Op.HOLD), None, Totals(1, 5), LATER).refused == "expired_before_held"


def test_an_expired_reservation_is_confirmed_only_where_the_goods_are_still_there() -> None:
    expired = Line(State.EXPIRED, 2, "d", LATER, NOW)
    assert decide(change(Op.CONFIRM), expired, Totals(1, 5, 4), NOW).refused == "reservation_expired"
    sold = decide(change(Op.CONFIRM), expired, Totals(1, 5, 3), NOW)
    assert (sold.totals.sold, sold.totals.on_hand) == (5, 0)


def test_what_expired_and_was_given_back_is_not_sold_by_a_late_confirm() -> None:
    expired, totals = Line(State.EXPIRED, 2, "d", LATER, NOW), Totals(1, 5)
    released = decide(change(Op.RELEASE), expired, totals, NOW)
    assert (released.refused, released.totals) == (None, totals)
    assert decide(change(Op.CONFIRM), released.line, released.totals, NOW).refused == "not_allowed"


def test_what_is_sold_is_neither_released_nor_expired() -> None:
    sold, totals = Line(State.SOLD, 1, "d", LATER, NOW), Totals(1, 5, 1)
    assert decide(change(Op.RELEASE), sold, totals, NOW).refused == "not_allowed"
    assert decide(change(Op.EXPIRE), sold, totals, NOW).totals == totals


def test_any_series_of_changes_adds_up() -> None:
    chance = random.Random(20261124)
    for _ in range(300):
        totals = Totals(1)
        lines: dict[UUID, Line] = {}
        for _ in range(60):
            op = chance.choice(list(Op))
            # Receipts have ids of their own, as in the service.
            number = chance.randint(1, 6) + (100 if op is Op.RECEIVE else 0)
            asked = change(op, number, quantity=number % 5 + 1)
            decision = decide(asked, lines.get(asked.id), totals, NOW)
            if decision.refused or decision.replayed:
                continue
            totals = decision.totals
            if decision.line is None:
                del lines[asked.id]
            else:
                lines[asked.id] = decision.line
            units = {state: sum(line.quantity for line in lines.values() if line.state is state) for state in State}
            assert totals.on_hand >= 0
            assert (totals.received, totals.sold, totals.reserved) == (
                units[State.RECEIVED],
                units[State.SOLD],
                units[State.HELD],
            )
            assert totals.active == sum(line.state is State.HELD for line in lines.values())
