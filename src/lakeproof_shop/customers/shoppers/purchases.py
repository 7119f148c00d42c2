"""The purchases at the checkout, decided by rate and seed alone before anything is sent."""

import random
from collections.abc import Iterator
from dataclasses import dataclass

from lakeproof_shop.customers.shoppers.plan import CUSTOMERS, Basket
from lakeproof_shop.services.checkout.models import Undoing

# The goods at the checkout: few enough that some are hot. Each is stocked for a whole run before the run begins.
GOODS = tuple(f"buy-{number:02d}" for number in range(40))
STOCK_PER_RUN = 100_000
CARDS = {"tok_visa": 0.94, "tok_declined": 0.03, "tok_insufficient_funds": 0.03}


# Shares of all buyers. A buyer cancels, returns or complains only where something was bought.
# So few opt out that an hour of buyers raises no NotificationOptOutSpike (more than 20 in 15 minutes).
BROWSE, CANCEL, RETURN, COMPLAIN, OPT_OUT = 0.5, 0.06, 0.08, 0.06, 0.01
# The first buyers of a run complain whatever the seed says, if they have bought: so the shop's own people have
# timelines to read from the run's beginning.
FIRST_COMPLAIN = 3
ATTACH, OPT_IN = 0.5, 0.5  # shares of those who complain, and of those who opt out
KEEP = 0.3  # share of those who neither cancel nor return
KEEP_SECONDS = 20  # how long the parcel is held for a buyer who will cancel, or who wants to think it over


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a buyer does besides buying. keeps: asks that the parcel be held for a while."""

    browses: bool = False
    undoing: Undoing | None = None
    complains: bool = False
    attaches: bool = False
    opts_out: bool = False
    opts_in: bool = False
    keeps: bool = False

    @property
    def keep_seconds(self) -> int:
        """How long the parcel is to be held."""
        return KEEP_SECONDS if self.keeps or self.undoing is Undoing.CANCEL else 0


@dataclass(frozen=True, slots=True)
class Purchase:
    """One planned purchase. at_seconds: time since the start. number: counted from 1."""

    at_seconds: float
    number: int
    customer_id: int
    card: str
    basket: Basket
    wishes: Wishes = Wishes()


def purchases(rate: float, seed: int, seconds: float | None = None) -> Iterator[Purchase]:
    """Purchases in time order: a Poisson process of `rate` per second (0: none), `seconds` long (None: endless)."""
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
