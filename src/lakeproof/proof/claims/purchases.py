"""Which checkouts have ended, and how."""

from collections.abc import Iterable

from lakeproof.proof.claims.facts import CheckoutFact, ShopFacts
from lakeproof.shop.checkout.models import Step

UNDONE = frozenset({Step.CANCELLED.value, Step.RETURNED.value})


def bought(one: CheckoutFact) -> bool:
    """True where the buyer has bought for certain, and has neither cancelled nor returned the purchase."""
    return Step(one.step).is_bought


def ended(checkouts: Iterable[CheckoutFact] | None) -> list[CheckoutFact]:
    """The checkouts for which nothing is left to do."""
    return [one for one in checkouts or () if Step(one.step).is_end]


def ended_count(facts: ShopFacts) -> int:
    """How many checkouts have ended."""
    return len(ended(facts.checkouts))
