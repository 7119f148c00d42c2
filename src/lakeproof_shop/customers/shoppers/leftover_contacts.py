"""Settles, by a look, the calls to support and notification that killed customers left open.

It does for contacts what leftovers.py does for orders: what these services keep now tells how such a call ended, and
nothing is ever sent for the call again.
"""

from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from lakeproof.errors import CouldNotLook
from lakeproof.ledger.calls import Event, ledgers_in, now_us
from lakeproof.ledger.writer import Written
from lakeproof_shop.customers.contacts import FOLDER, Contact, Contacts, Kind, read_contacts, read_run
from lakeproof_shop.customers.kept import PreferenceFact, ToldFact, is_kept
from lakeproof_shop.customers.shoppers.ended_runs import REASON, ended_run
from lakeproof_shop.customers.shoppers.leftovers import wait_for_the_youngest


class Keeping(Protocol):
    """Reads what the services keep of what customers told them. Raises: CouldNotLook."""

    async def cases(self, contacts: Contacts) -> Sequence[ToldFact]:
        """What became of all complaints and attachments."""

    async def preferences(self, contacts: Contacts) -> Sequence[PreferenceFact]:
        """The preferences of every customer who told any."""


async def settle_contacts(ledger_dir: Path, keeping: Keeping, call_seconds: float) -> int:
    """Settle the calls that ended runs left open; gives how many were settled. They stay open where nobody can look.

    A call also stays open where the kept state is neither that before the call nor that which it would have made.
    call_seconds: as in `settle_leftovers`.
    Raises: InvalidInput for rubbish in a ledger, LedgerBroken where one cannot be written.
    """
    settled = 0
    for path in ledgers_in(ledger_dir / FOLDER):
        with ended_run(path, Contact.from_json) as run:
            if run is None or not (left := read_run(path).open):
                continue
            await wait_for_the_youngest(list(left.values()), call_seconds)
            try:
                told = await _became(left.values(), read_contacts(ledger_dir), keeping)
            except CouldNotLook:
                break
            lines: list[Written] = [replace(one, at_us=now_us(), event=Event.SETTLED, reason=REASON) for one in told]
            run.append(lines)
            settled += len(lines)
    return settled


async def _became(left: Collection[Contact], all_told: Contacts, keeping: Keeping) -> list[Contact]:
    """The contacts whose outcome is known now, with the kept text and ref. Raises: CouldNotLook."""
    kinds = {one.kind for one in left}
    cases: dict[str, tuple[int, ...]] = {}
    kept: dict[int, PreferenceFact] = {}
    if kinds & {Kind.COMPLAINT, Kind.ATTACHMENT}:
        cases = {one.key: one.cases for one in await keeping.cases(all_told)}
    if Kind.PREFERENCES in kinds:
        kept = {one.customer_id: one for one in await keeping.preferences(all_told) if is_kept(one)}
    found = []
    for one in left:
        if one.kind is Kind.PREFERENCES:
            if (fact := kept.get(one.customer_id)) is not None:
                found.append(replace(one, text=fact.kept, ref=fact.version))
        elif (where := cases[one.key]) in ((), (one.ref,)) or (one.kind is Kind.COMPLAINT and len(where) == 1):
            found.append(replace(one, ref=where[0] if where else 0))
    return found
