"""What the buyers will buy at the checkout, decided before anything is sent: by rate and seed alone."""

import random
from collections.abc import Iterator
from dataclasses import dataclass

from lakeproof.customers.shoppers.plan import CUSTOMERS, Basket
from lakeproof.shop.checkout.models import Undoing

# Few enough that some are hot; each is stocked for a whole run before it begins.
GOODS = tuple(f"buy-{number:02d}" for number in range(40))
STOCK_PER_RUN = 100_000
CARDS = {"tok_visa": 0.94, "tok_declined": 0.03, "tok_insufficient_funds": 0.03}


# Of all buyers; an undoing, a complaint and what follows from it only where something was bought.
# So few opt out that an hour of buyers is no NotificationOptOutSpike (more than 20 in 15 minutes).
BROWSE, CANCEL, RETURN, COMPLAIN, OPT_OUT = 0.5, 0.06, 0.08, 0.06, 0.01
# The first ones of a run complain whatever the seed says, where they have bought: so the shop's own people have
# timelines to read from its beginning.
FIRST_COMPLAIN = 3
ATTACH, OPT_IN = 0.5, 0.5  # of those who complain, who opt out
KEEP = 0.3  # of those who undo nothing
KEEP_SECONDS = 20  # so long the parcel waits of a buyer who will cancel, or who wants to think it over


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a buyer does beside buying."""

    browses: bool = False
    undoing: Undoing | None = None
    complains: bool = False
    attaches: bool = False
    opts_out: bool = False
    opts_in: bool = False
    keeps: bool = False

    @property
    def keep_seconds(self) -> int:
        """How long the parcel is to wait."""
        return KEEP_SECONDS if self.keeps or self.undoing is Undoing.CANCEL else 0


@dataclass(frozen=True, slots=True)
class Purchase:
    """One purchase to come. at_seconds: after the start. number: counted from 1."""

    at_seconds: float
    number: int
    customer_id: int
    card: str
    basket: Basket
    wishes: Wishes = Wishes()


def purchases(rate: float, seed: int, seconds: float | None = None) -> Iterator[Purchase]:
    """Purchases in time order: a Poisson stream of `rate` per second (0: none), `seconds` long (None: no end)."""
    if rate <= 0:
        return
    dice, wishing = random.Random(f"purchases {seed}"), random.Random(f"wishes {seed}")
    at, number = 0.0, 0
    while True:
        at += dice.expovariate(rate)
        if seconds is not None and at >= seconds:
            return
        number += 1
        (card,) = dice.choices(list(CARDS), list(CARDS.values()))
        yield Purchase(at, number, 1 + dice.randrange(CUSTOMERS), card, _fill(dice), _wish(wishing, number))


def _wish(dice: random.Random, number: int) -> Wishes:
    undoing = dice.choices((Undoing.CANCEL, Undoing.RETURN, None), (CANCEL, RETURN, 1 - CANCEL - RETURN))[0]
    complains, opts_out = dice.random() < COMPLAIN or number <= FIRST_COMPLAIN, dice.random() < OPT_OUT
    attaches, opts_in = dice.random() < ATTACH, dice.random() < OPT_IN
    browses = dice.random() < BROWSE
    keeps = undoing is None and dice.random() < KEEP
    return Wishes(browses, undoing, complains, complains and attaches, opts_out, opts_out and opts_in, keeps)


def _fill(dice: random.Random) -> Basket:
    chosen = {min(len(GOODS) - 1, int(dice.paretovariate(0.8)) - 1) for _ in range(dice.choice((1, 1, 2, 3)))}
    return Basket(
        tuple((GOODS[each], dice.randint(1, 3), f"{dice.randint(99, 4999) / 100:.2f}") for each in sorted(chosen))
    )
