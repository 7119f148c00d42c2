"""What support and notification keep of the contacts that customers' ledgers hold (contacts.py)."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import orjson

from lakeproof.errors import CouldNotLook, InvalidInput
from lakeproof.ledger.calls import Event
from lakeproof.stack.database_rows import rows_of
from lakeproof.stack.stack import Stack
from lakeproof_shop.customers.contacts import Contact, Contacts, Kind

_MESSAGES = """
SELECT m.case_id, m.body FROM cases c JOIN case_messages m ON m.case_id = c.id
WHERE c.order_id = ANY($1::bigint[]) AND m.author = 'customer'
"""
_FILES = """
SELECT a.case_id, a.sha256 FROM cases c JOIN case_attachments a ON a.case_id = c.id
WHERE c.order_id = ANY($1::bigint[])
"""
_KEPT_IN_CASES = {Kind.COMPLAINT: _MESSAGES, Kind.ATTACHMENT: _FILES}
_PREFERENCES = "SELECT customer_id, version, opted_out::text FROM preferences WHERE customer_id = ANY($1::bigint[])"


@dataclass(frozen=True, slots=True)
class ToldFact:
    """A complaint or an attachment of the ledger, and the cases that have it.

    ref: the acknowledged case; 0: the call was refused, or never done; None: its outcome is unknown.
    """

    key: str
    ref: int | None
    cases: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class PreferenceFact:
    """A customer's preferences: as they were last acknowledged, and as the service keeps them.

    acked: the texts that the acknowledged version may have; several where its call was repeated (`acknowledged`).
    version, kept: what the service keeps. open: the texts of calls without a clear answer, which may be kept as well.
    """

    customer_id: int
    acked_version: int
    acked: tuple[str, ...]
    version: int
    kept: str
    open: tuple[str, ...] = ()


def is_kept(one: PreferenceFact) -> bool:
    """True where the kept preferences are what was acknowledged, or what a later unclear call asked for."""
    if one.version == one.acked_version:
        return one.kept in one.acked
    return one.version > one.acked_version and one.kept in one.open


@dataclass(frozen=True, slots=True)
class KeptInStack:
    """Reads what a stack's services keep, by the account that only reads. Raises: CouldNotLook."""

    stack: Stack

    async def cases(self, contacts: Contacts) -> tuple[ToldFact, ...]:
        """What became of all complaints and attachments."""
        with _in_this_stack():
            return await asyncio.to_thread(told_in_cases, self.stack, contacts)

    async def preferences(self, contacts: Contacts) -> tuple[PreferenceFact, ...]:
        """The preferences of every customer who told any."""
        with _in_this_stack():
            return await asyncio.to_thread(kept_preferences, self.stack, contacts)


@contextmanager
def _in_this_stack() -> Iterator[None]:
    try:
        yield
    except InvalidInput as error:  # somebody else's stack, whose database or account is not named
        raise CouldNotLook(error.message) from error


def told_in_cases(stack: Stack, contacts: Contacts) -> tuple[ToldFact, ...]:
    """What became of all complaints and attachments. Raises: CouldNotLook."""
    facts: list[ToldFact] = []
    for kind, statement in _KEPT_IN_CASES.items():
        acked, unknown = _of(contacts.acknowledged.values(), kind), _of(contacts.open.values(), kind)
        refused = _of(contacts.refused.values(), kind)
        orders = {one.order_id or 0 for one in acked + unknown + refused}
        rows = rows_of(stack, "support", statement, sorted(orders))
        cases: defaultdict[str, list[int]] = defaultdict(list)
        for case_id, text in rows:
            cases[text].append(case_id)
        facts += [ToldFact(one.key, one.ref, tuple(sorted(cases[one.text]))) for one in acked]
        facts += [ToldFact(one.key, None, tuple(sorted(cases[one.text]))) for one in unknown]
        facts += [ToldFact(one.key, 0, tuple(sorted(cases[one.text]))) for one in refused]
    return tuple(facts)


def kept_preferences(stack: Stack, contacts: Contacts) -> tuple[PreferenceFact, ...]:
    """The preferences of every customer who ever told any. Raises: CouldNotLook."""
    acked, unclear = defaultdict[int, list[Contact]](list), defaultdict[int, list[Contact]](list)
    for of, all_of in ((acked, contacts.acknowledged), (unclear, contacts.open)):
        for one in _of(all_of.values(), Kind.PREFERENCES):
            of[one.customer_id].append(one)
    customers = sorted(acked.keys() | unclear.keys())
    rows = rows_of(stack, "notification", _PREFERENCES, customers)
    kept = {row[0]: (row[1], ",".join(sorted(orjson.loads(row[2])))) for row in rows}
    return tuple(
        PreferenceFact(
            customer_id,
            *acknowledged(acked[customer_id], unclear[customer_id]),
            *kept.get(customer_id, (0, "")),
            tuple(one.text for one in unclear[customer_id]),
        )
        for customer_id in customers
    )


def acknowledged(acked: list[Contact], unclear: list[Contact]) -> tuple[int, tuple[str, ...]]:
    """The newest acknowledged version of a customer's preferences, and its possible texts; version 0 is empty.

    A call that was answered at its first try made the version in its answer, or found the preferences already so. A
    repeated call may have been done at an earlier try. It is then answered with the newest version, whose text may be
    that of another call of this customer. That other call is a repeated or an unclear one, since calls that
    were answered at their first try made older versions.
    """
    version = max((one.ref for one in acked), default=0)
    if version == 0:
        return 0, ("",)
    at_once = {one.text for one in acked if one.ref == version and one.event is Event.OK}
    if len(at_once) > 1:
        return version, ()  # one version cannot say two things
    others = [*(one for one in acked if one.event is not Event.OK), *unclear]
    return version, tuple(at_once or sorted({one.text for one in others}))


def _of(contacts: Iterable[Contact], kind: Kind) -> list[Contact]:
    return [one for one in contacts if one.kind is kind]
