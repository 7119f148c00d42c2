"""What a caller asks for under a key, which acts once, and what a service's own rules refuse."""

import hashlib
from dataclasses import dataclass

from lakeproof.services.database.errors import SaidNo


class RuleRefused(SaidNo):
    """The shop's own rules say no; `why` is the code that a caller is told."""

    def __init__(self, why: str, message: str) -> None:
        self.why = why
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class Operation[O]:
    """One thing that a caller asks for, under a key where there is one. `digest`: the SHA-256 of all that it asks."""

    op: O
    key: str | None
    digest: bytes

    def require_same(self, digest: bytes) -> None:
        """The key was used before, for what has that digest. Raises: RuleRefused (key_reused)."""
        if digest != self.digest:
            raise RuleRefused("key_reused", f"the key {self.key} was used for another request")


def operation[O](op: O, key: str | None, subject: object, body: str = "") -> Operation[O]:
    """The operation `op` on what has that id (None: something new) with its body in canonical text."""
    return Operation(op, key, hashlib.sha256(f"{op}|{subject or 'new'}|{body}".encode()).digest())
