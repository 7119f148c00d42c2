"""What must be true across the shop's stores, looked at with accounts that only read."""

from lakeproof_shop.proof.claims.looking import ShopReport, look

__all__ = ["ShopReport", "look"]
