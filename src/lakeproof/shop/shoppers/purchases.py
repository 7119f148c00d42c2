"""What the buyers will buy at the checkout, decided before anything is sent: by rate and seed alone."""

import random
from collections.abc import Iterator
from dataclasses import dataclass

from lakeproof.shop.shoppers.plan import CUSTOMERS, Basket

# Few enough that some are hot; each is stocked for a whole run before it begins.
GOODS = tuple(f"buy-{number:02d}" for number in range(40))
STOCK_PER_RUN = 100_000
CARDS = {"tok_visa": 0.94, "tok_declined": 0.03, "tok_insufficient_funds": 0.03}


@dataclass(frozen=True, slots=True)
class Purchase:
    """One purchase to come. at_seconds: after the start. number: counted from 1."""

    at_seconds: float
    number: int
    customer_id: int
    card: str
    basket: Basket


def purchases(rate: float, seed: int, seconds: float | None = None) -> Iterator[Purchase]:
    """Purchases in time order: a Poisson stream of `rate` per second (0: none), `seconds` long (None: no end)."""
    if rate <= 0:
        return
    dice = random.Random(f"purchases {seed}")
    at, number = 0.0, 0
    while True:
        at += dice.expovariate(rate)
        if seconds is not None and at >= seconds:
            return
        number += 1
        (card,) = dice.choices(list(CARDS), list(CARDS.values()))
        yield Purchase(at, number, 1 + dice.randrange(CUSTOMERS), card, _fill(dice))


def _fill(dice: random.Random) -> Basket:
    chosen = {min(len(GOODS) - 1, int(dice.paretovariate(0.8)) - 1) for _ in range(dice.choice((1, 1, 2, 3)))}
    return Basket(
        tuple((GOODS[each], dice.randint(1, 3), f"{dice.randint(99, 4999) / 100:.2f}") for each in sorted(chosen))
    )
