"""What must be true across the shop's stores, looked at with accounts that only read."""

from lakeproof.proof.claims.looking import Findings, look

__all__ = ["Findings", "look"]
