"""Every claim holds for a shop in order; none is judged of stores that are not there. No engine."""

from tests.proof.claims.shop_in_order import IN_ORDER

from lakeproof_shop.proof.claims.catalog import CLAIMS
from lakeproof_shop.proof.claims.facts import ShopFacts
from lakeproof_shop.proof.claims.stock_claims import oversold


def test_in_a_shop_in_order_every_claim_holds() -> None:
    assert {name: claim(IN_ORDER) for name, claim in CLAIMS.items()} == {name: [] for name in CLAIMS}
    assert oversold(IN_ORDER) == 0


def test_a_store_that_is_not_there_is_not_judged() -> None:
    assert {name: claim(ShopFacts()) for name, claim in CLAIMS.items()} == dict.fromkeys(CLAIMS, None)
    assert oversold(ShopFacts()) is None
