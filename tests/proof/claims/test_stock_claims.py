"""Stock that does not add up, is held for ever or does not come back: each breaks the claim that is for it."""

from dataclasses import replace

import pytest
from tests.proof.claims.shop_in_order import BACK, BOUGHT, FAILED, IN_ORDER, claims_broken_by, parcel, with_checkouts

from lakeproof_shop.proof.claims.facts import Part, Receipt, ReservedLine, ShopFacts
from lakeproof_shop.services.checkout.models import restock_key
from lakeproof_shop.services.inventory.audit import LineSum, SkuTotals
from lakeproof_shop.services.inventory.models import receipt_id

# Over a week ago its first event was written, and what was received and sold before then is gone.
OLD_STOCK = replace(IN_ORDER, young=frozenset(), sums={"s": (LineSum("held", 1, 1),)})
TWO_LINES = replace(BOUGHT, items=(("s", 2), ("t", 1)))
OTHER_LINES = (IN_ORDER.lines or ())[1:]

FAULTS: list[tuple[str, ShopFacts, str]] = [
    ("oversold", replace(IN_ORDER, totals=(SkuTotals("s", 9, 10, 11, 1, 1, 9, 9),)), "never below zero"),
    ("young stock without its lines", replace(IN_ORDER, sums={"s": ()}), "never below zero"),
    ("young stock without its lines, nobody bought", replace(IN_ORDER, checkouts=(), sums={"s": ()}), "never below"),
    (
        "young stock without its lines, checkouts not read",
        replace(IN_ORDER, checkouts=None, sums={"s": ()}, unknown={Part.CHECKOUTS: "no answer"}),
        "never below zero",
    ),
    ("old stock, what is held is gone", replace(OLD_STOCK, sums={"s": ()}), "never below zero"),
    (
        "old stock, more in its lines than its totals say",
        replace(OLD_STOCK, sums={"s": (LineSum("sold", 2, 3), LineSum("held", 1, 1))}),
        "never below zero",
    ),
    (
        "sold goods given back",
        replace(IN_ORDER, lines=(ReservedLine("r1", "s", "released", 2),)),
        "what was bought is sold",
    ),
    ("one of two sold lines is gone", with_checkouts(TWO_LINES), "what was bought is sold"),
    (
        "fewer units sold than were bought",
        replace(IN_ORDER, lines=(ReservedLine("r1", "s", "sold", 1), *OTHER_LINES)),
        "what was bought is sold",
    ),
    (
        "others sold than were bought",
        replace(IN_ORDER, lines=(ReservedLine("r1", "t", "sold", 2), *OTHER_LINES)),
        "what was bought is sold",
    ),
    (
        "more sold than was bought",
        replace(IN_ORDER, lines=(ReservedLine("r1", "t", "sold", 2), *(IN_ORDER.lines or ()))),
        "what was bought is sold",
    ),
    (
        "failed and still held",
        replace(IN_ORDER, lines=(ReservedLine("r1", "s", "sold", 2), ReservedLine("r2", "s", "held", 2))),
        "what was bought is sold",
    ),
    ("undone, line not sold", replace(IN_ORDER, lines=(ReservedLine("r1", "s", "sold", 2),)), "bought is sold"),
    (
        "held past its time",
        replace(IN_ORDER, lines=(*(IN_ORDER.lines or ()), ReservedLine("r9", "s", "held", 1, overdue_seconds=121.0))),
        "past its time",
    ),
    (
        "bought without a reservation",
        with_checkouts(replace(BOUGHT, reservation_id=None)),
        "bought is sold",
    ),
    (
        "failed, its goods sold and not back",
        replace(
            IN_ORDER,
            lines=tuple(
                replace(line, state="sold") if line.reservation_id == "r2" else line for line in IN_ORDER.lines or ()
            ),
        ),
        "failed holds nothing",
    ),
    ("undone, goods gone", replace(IN_ORDER, receipts=BACK[:1]), "on the shelf again"),
    (
        "undone, too many came back",
        replace(IN_ORDER, receipts=(BACK[0], replace(BACK[1], quantity=3))),
        "on the shelf again",
    ),
    (
        "bought, and goods came back",
        replace(IN_ORDER, receipts=(*BACK, Receipt(str(receipt_id(restock_key("a", 0))), "s", 2))),
        "on the shelf again",
    ),
    (
        "bought, and goods of its second line came back",
        replace(with_checkouts(TWO_LINES), receipts=(*BACK, Receipt(str(receipt_id(restock_key("a", 1))), "t", 1))),
        "on the shelf again",
    ),
    (
        "undone, and its goods came back as others too",
        replace(IN_ORDER, receipts=(*BACK, replace(BACK[1], sku="t"))),
        "on the shelf again",
    ),
]


@pytest.mark.parametrize(("facts", "claim"), [case[1:] for case in FAULTS], ids=[case[0] for case in FAULTS])
def test_a_fault_of_stock_breaks_the_claim_that_is_for_it(facts: ShopFacts, claim: str) -> None:
    broken = claims_broken_by(facts)
    assert any(claim in name for name in broken), broken


@pytest.mark.parametrize(
    "facts",
    [
        replace(IN_ORDER, lines=(*(IN_ORDER.lines or ()), ReservedLine("r9", "s", "held", 1, overdue_seconds=119.0))),
        replace(IN_ORDER, sums={"s": ()}, steady=frozenset()),
        replace(OLD_STOCK, checkouts=None),
        replace(
            OLD_STOCK,
            purchases=(),
            checkouts=(replace(BOUGHT, age_seconds=86_400.0),),
            parcels=(parcel(21, 1, "shipped"),),
            lines=(ReservedLine("r1", "s", "sold", 2),),
        ),
        replace(OLD_STOCK, sums={"s": (LineSum("sold", 1, 1), LineSum("held", 1, 1))}),
        replace(with_checkouts(TWO_LINES), lines=(ReservedLine("r1", "t", "sold", 1), *(IN_ORDER.lines or ()))),
        with_checkouts(replace(FAILED, reservation_id=None)),
    ],
    ids=[
        "about to expire",
        "changed while it was read",
        "received long ago and never bought",
        "received long ago and first bought yesterday",
        "sold in part long ago",
        "two lines bought and sold",
        "failed before it had a reservation",
    ],
)
def test_stock_in_order_breaks_nothing(facts: ShopFacts) -> None:
    assert claims_broken_by(facts) == set()
