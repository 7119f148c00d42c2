"""Parcels that are missing, late, or elsewhere than told: each breaks the claim that is for it."""

from dataclasses import replace

import pytest
from tests.proof.claims.shop_in_order import BYTES, IN_ORDER, LABELS, claims_broken_by, parcel, with_parcels

from lakeproof_shop.proof.claims.facts import ShopFacts

FAULTS: list[tuple[str, ShopFacts, str]] = [
    ("never sent", replace(IN_ORDER, parcels=()), "is sent, once"),
    (
        "sent twice",
        replace(IN_ORDER, parcels=(parcel(21, 1, "shipped"), parcel(22, 1, "requested"))),
        "is sent, once",
    ),
    (
        "sent for nothing",
        replace(IN_ORDER, parcels=(parcel(21, 1, "shipped"), parcel(22, 2, "shipped"))),
        "sent",
    ),
    ("cancelled, and sent", with_parcels(parcel(26, 4, "shipped")), "is sent, once"),
    ("returned, parcel still away", with_parcels(parcel(25, 5, "shipped"), without=25), "is sent, once"),
    ("sent for an order that nobody placed", with_parcels(parcel(27, 99, "requested")), "is sent, once"),
    ("never shipped", with_parcels(parcel(27, 3, "requested", late_seconds=601.0)), "no parcel waits"),
    ("ready, and not picked up", with_parcels(parcel(27, 3, "label_ready", late_seconds=601.0)), "no parcel waits"),
    (
        "shipped, says only the row",
        with_parcels(replace(parcel(21, 1, "shipped"), by_events="label_ready"), without=21),
        "newest event",
    ),
    ("an event lost", with_parcels(replace(parcel(21, 1, "shipped"), version=4), without=21), "newest event"),
    ("shipped without a label", replace(IN_ORDER, labels={"ready/25": BYTES}), "has its label"),
    ("a label cut off", replace(IN_ORDER, labels={"ready/21": BYTES - 1, "ready/25": BYTES}), "has its label"),
    (
        "cancelled, and its label can be picked up",
        replace(IN_ORDER, labels=LABELS | {"ready/24": BYTES}),
        "what was cancelled has none",
    ),
]


@pytest.mark.parametrize(("facts", "claim"), [case[1:] for case in FAULTS], ids=[case[0] for case in FAULTS])
def test_a_fault_of_a_parcel_breaks_the_claim_that_is_for_it(facts: ShopFacts, claim: str) -> None:
    broken = claims_broken_by(facts)
    assert any(claim in name for name in broken), broken


@pytest.mark.parametrize(
    "facts",
    [
        with_parcels(parcel(27, 3, "label_pending", late_seconds=-3600.0), parcel(28, 3, "requested", 599.0)),
        replace(
            with_parcels(replace(parcel(27, 3, "cancelled"), has_work=True)), labels=LABELS | {"ready/27": BYTES}
        ),
        with_parcels(parcel(27, 99, "cancelled")),
        replace(with_parcels(parcel(27, 99, "requested")), only_ours=False),
    ],
    ids=["held on purpose", "being called off", "nobody's, and called off", "others' parcels"],
)
def test_parcels_in_order_break_nothing(facts: ShopFacts) -> None:
    assert claims_broken_by(facts) == set()
