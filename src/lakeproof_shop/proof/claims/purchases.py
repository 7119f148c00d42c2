"""Which checkouts have ended, and how."""

from collections.abc import Iterable

from lakeproof_shop.proof.claims.facts import CheckoutFact, ShopFacts
from lakeproof_shop.services.checkout.models import ENDS, Step

UNDONE = frozenset({Step.CANCELLED.value, Step.RETURNED.value})
_BOUGHT = frozenset(step for step in Step if step.is_bought)


def bought(one: CheckoutFact) -> bool:
    """True where the buyer has bought for certain, and has neither cancelled nor returned the purchase."""
    return one.step in _BOUGHT


def ended(checkouts: Iterable[CheckoutFact] | None) -> list[CheckoutFact]:
    """The checkouts for which nothing is left to do."""
    return [one for one in checkouts or () if one.step in ENDS]


def ended_count(facts: ShopFacts) -> int:
    """How many checkouts have ended."""
    return len(ended(facts.checkouts))
