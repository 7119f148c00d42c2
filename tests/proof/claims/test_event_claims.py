"""Events that stand, are lost or act wrongly: each breaks the claim that is for it."""

from dataclasses import replace

import pytest
from tests.proof.claims.shop_in_order import IN_ORDER, claims_broken_by

from lakeproof_shop.proof.claims.catalog import CLAIMS
from lakeproof_shop.proof.claims.facts import (
    ActFact,
    ChangesFact,
    DeliveryFact,
    MissingEvent,
    OutboxFact,
    ShopFacts,
    Store,
)
from lakeproof_shop.services.inventory.audit import SkuTotals


def with_acts(*acts: ActFact) -> ShopFacts:
    return replace(IN_ORDER, acts=acts)


def with_changes(*changes: ChangesFact) -> ShopFacts:
    return replace(IN_ORDER, changes=changes)


FAULTS: list[tuple[str, ShopFacts, str]] = [
    (
        "a relay that stands",
        replace(IN_ORDER, outboxes=(OutboxFact("payment", 3, 90.0),)),
        "reach Kafka",
    ),
    (
        "marked as sent, and lost",
        replace(IN_ORDER, deliveries=(DeliveryFact("payment", 9, 0, 0, (MissingEvent("payment", "e7"),)),)),
        "in Kafka's topics",
    ),
    (
        "sent, and lost by its sender",
        replace(IN_ORDER, deliveries=(DeliveryFact("inventory", 9, 0, 0, (), ("sku-1 event 4",)),)),
        "in Kafka's topics",
    ),
    (
        "a change that nobody is told of",
        with_changes(ChangesFact("payment", 9, 0, 0, ("1 payment.voided 2",))),
        "tells of",
    ),
    ("an event not taken", with_acts(ActFact("e", "payment.captured", False, None, False)), "are acted on"),
    ("an event without its message", with_acts(ActFact("e", "payment.captured", True, None, False)), "are acted on"),
    ("told and dropped", with_acts(ActFact("e", "payment.captured", True, "opted_out", True)), "are acted on"),
]


@pytest.mark.parametrize(("facts", "claim"), [case[1:] for case in FAULTS], ids=[case[0] for case in FAULTS])
def test_a_fault_of_events_breaks_the_claim_that_is_for_it(facts: ShopFacts, claim: str) -> None:
    broken = claims_broken_by(facts)
    assert any(claim in name for name in broken), broken


def test_events_that_an_earlier_stack_left_are_not_judged_where_their_sender_is_no_part_of_this_one() -> None:
    left = replace(
        IN_ORDER,
        outboxes=(OutboxFact("payment", 2, 9e5),),
        totals=(SkuTotals("s", 9, 10, 2, 1, 1, 9, 3),),
    )
    claim = CLAIMS["shop: events reach Kafka"]
    assert len(claim(left) or ()) == 2
    assert claim(replace(left, there=left.there - {Store.PAYING})) == ["inventory s after event 3: 6 events unsent"]
    assert claim(replace(left, there=left.there - {Store.PAYING, Store.SHELVING})) is None


def test_how_many_changes_could_not_be_judged_is_told() -> None:
    claim = CLAIMS["shop: an event tells of every change"]
    facts = with_changes(ChangesFact("payment", 9, 2, 3, ()), ChangesFact("support", 4, 0, 0, ()))
    assert (claim(facts), claim.count(facts)) == ([], 8)
    assert (
        claim.aside(facts) == "3 more are so old that their events are kept no more; 2 more were too many to look for"
    )
    assert claim.aside(IN_ORDER) == ""
