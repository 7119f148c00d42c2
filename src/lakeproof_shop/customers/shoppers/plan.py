"""The shoppers' visits, decided by rate and seed alone before anything is sent, whatever the shop answers."""

import random
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from lakeproof_shop.services.order.models import Op, Status

MIX = {Op.CREATE: 0.62, Op.PAY: 0.13, Op.CHANGE: 0.11, Op.CANCEL: 0.06, Op.DELETE: 0.08}
REST_SECONDS = 1.0  # between two calls on one order: by then the first was answered, or is given up
SKUS = 2_000
CUSTOMERS = 50_000


@dataclass(frozen=True, slots=True)
class Basket:
    """What is put into an order: (sku, quantity, unit price as a decimal string) per line."""

    items: tuple[tuple[str, int, str], ...]

    @property
    def total(self) -> str:
        """Sum over the lines, at scale 2."""
        return str(sum((Decimal(price) * quantity for _, quantity, price in self.items), Decimal("0.00")))


@dataclass(frozen=True, slots=True)
class Visit:
    """One planned call. at_seconds: since the start. number: the order's; orders are counted from 1 as created."""

    at_seconds: float
    op: Op
    number: int
    customer_id: int = 0
    basket: Basket | None = None


def plan(rate: float, seed: int, seconds: float | None = None) -> Iterator[Visit]:
    """Visits in time order: a Poisson process of `rate` calls per second, `seconds` long (None: endless).

    The same arguments give the same visits. Where no order is at hand for an operation, an order is created instead.
    """
    dice = random.Random(seed)
    at_hand: dict[Status, list[int]] = {status: [] for status in Status}
    resting: deque[tuple[float, int, Status]] = deque()
    operations, weights = list(MIX), list(MIX.values())
    at, orders = 0.0, 0
    while True:
        at += dice.expovariate(rate)
        if seconds is not None and at >= seconds:
            return
        while resting and resting[0][0] <= at:
            _, number, status = resting.popleft()
            at_hand[status].append(number)
        op = dice.choices(operations, weights)[0]
        taken = _take(at_hand, op, dice)
        if taken is None:
            orders += 1
            visit = Visit(at, Op.CREATE, orders, _customer(dice), _fill(dice))
            status = Status.CREATED
        else:
            number, status = taken
            visit = Visit(at, op, number, basket=_fill(dice) if op is Op.CHANGE else None)
            status = op.status_after(status)
        yield visit
        if visit.op is not Op.DELETE:
            resting.append((at + REST_SECONDS, visit.number, status))


def _customer(dice: random.Random) -> int:
    """A random customer; some order far more often than others. The keenest makes 0.6 % of all orders. With many
    more it would exceed the notification service's limit, and an alert would be the shoppers' fault, not the shop's.
    """
    return 1 + int(200 * dice.paretovariate(1.2)) % CUSTOMERS


def _take(at_hand: dict[Status, list[int]], op: Op, dice: random.Random) -> tuple[int, Status] | None:
    """Remove and give a random order on which the operation is allowed; None where there is none."""
    lists = [(status, at_hand[status]) for status in Status if status in op.allowed_from]
    count = sum(len(numbers) for _, numbers in lists)
    if count == 0:
        return None
    index = dice.randrange(count)
    for status, numbers in lists:
        if index < len(numbers):
            numbers[index], numbers[-1] = numbers[-1], numbers[index]
            return numbers.pop(), status
        index -= len(numbers)
    raise AssertionError("an index below the sum of the lengths is in one of them")


def _fill(dice: random.Random) -> Basket:
    lines = dice.choices((1, 2, 3, 4), (0.2, 0.5, 0.2, 0.1))[0]
    return Basket(
        tuple(
            (
                f"sku-{min(SKUS, int(dice.paretovariate(0.8))):04d}",
                dice.randint(1, 5),
                f"{dice.randint(99, 9999) / 100:.2f}",
            )
            for _ in range(lines)
        )
    )
