"""Facts about what customers told the shop, for the claims in contact_claims.py."""

from collections.abc import Collection
from typing import Any

from lakeproof.stack.stack import Stack
from lakeproof_shop.customers.contacts import Contacts
from lakeproof_shop.customers.kept import kept_preferences, told_in_cases
from lakeproof_shop.proof.claims.facts import Store


def read_told(stack: Stack, contacts: Contacts, there: Collection[Store]) -> dict[str, Any]:
    """Fields of the facts: what became of everything in the contacts' ledgers. Raises: CouldNotLook."""
    found: dict[str, Any] = {}
    if Store.SUPPORT in there:
        found["told"] = told_in_cases(stack, contacts)
    if Store.NOTIFIER in there:
        facts = kept_preferences(stack, contacts)
        # The shop has promised nothing to a customer who never had an answer.
        found["preferences"] = tuple(one for one in facts if one.acked_version)
    return found
