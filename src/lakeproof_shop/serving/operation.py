"""A request under an idempotency key, which acts once, and the refusal of a request by the shop's own rules."""

import hashlib
from dataclasses import dataclass

from lakeproof_shop.serving.database.errors import SaidNo


class RuleRefused(SaidNo):
    """The shop's own rules refuse the request. `why`: the code in the answer to the caller."""

    def __init__(self, why: str, message: str) -> None:
        self.why = why
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class Operation[O]:
    """One request of a caller, under a key where there is one. `digest`: the SHA-256 of its whole content."""

    op: O
    key: str | None
    digest: bytes

    def require_same(self, digest: bytes) -> None:
        """Compare with the earlier request of this key. Raises: RuleRefused (key_reused) where the digests differ."""
        if digest != self.digest:
            raise RuleRefused("key_reused", f"the key {self.key} was used for another request")


def operation[O](op: O, key: str | None, subject: object, body: str = "") -> Operation[O]:
    """The operation `op`. subject: the id of the thing it acts on; None: a new thing. body: in canonical text."""
    return Operation(op, key, hashlib.sha256(f"{op}|{subject or 'new'}|{body}".encode()).digest())
