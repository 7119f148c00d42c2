"""Looks at every claim several times. The stores are read one after the other, so that under traffic a claim may look
broken for a moment: only what is broken at every look is reported.
"""

import logging
import re
import secrets
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from lakeproof.deadline import Deadline
from lakeproof.errors import LakeproofError
from lakeproof.processes.parts import parts_of
from lakeproof.proof.claims.catalog import CLAIMS
from lakeproof.proof.claims.facts import Scope, ShopFacts, Store
from lakeproof.proof.claims.reading import read_facts
from lakeproof.proof.claims.stock_claims import oversold
from lakeproof.proof.report import ClaimReport
from lakeproof.stack.stack import Stack

log = logging.getLogger(__name__)

SETTLE_SECONDS = 15.0
PAUSE_SECONDS = 1.0


@dataclass(frozen=True)
class ShopReport:
    """A report of each claim, by the claim's name; claims whose stores are not part of the stack are left out.

    oversold: units; None where there is no stock. unknown: what could not be looked at, and why.
    """

    claims: dict[str, ClaimReport] = field(default_factory=dict)
    oversold: int | None = None
    unknown: tuple[str, ...] = ()


def look(
    stack: Stack, progress: Callable[[str], None] = lambda text: None, *, settle_seconds: float = SETTLE_SECONDS
) -> ShopReport:
    """Judge every claim on the shop's stores. One look where all claims hold; where one does not, the looks go on for
    `settle_seconds`, and one more follows.
    """
    try:
        stores = stores_of(stack)
        if not stores & {Store.SHOP, Store.STOCK}:
            return ShopReport()
        seed = secrets.randbelow(1_000_000)  # all looks of this check use it; the next check draws another one
        return settled(
            lambda scope: read_facts(stack, stores, scope, seed, progress), progress, settle_seconds=settle_seconds
        )
    except LakeproofError as error:
        return ShopReport(unknown=(error.message,))
    except Exception as error:  # the top of the shop's part: what the ledger and the lake show is told all the same
        log.exception("the shop's claims could not be judged")
        return ShopReport(unknown=(f"shop: not judged: {type(error).__name__}: {error}",))


def stores_of(stack: Stack) -> frozenset[Store]:
    """The stores that are part of the stack.

    That a store has data does not count: after one `up --all` every later check of a smaller stack would be unknown.
    Raises: CouldNotLook where nobody could tell.
    """
    parts = parts_of(stack).known()
    return frozenset(store for store in Store if store.value in parts)


def settled(
    read: Callable[[Scope], ShopFacts],
    progress: Callable[[str], None],
    *,
    settle_seconds: float = SETTLE_SECONDS,
    pause_seconds: float = PAUSE_SECONDS,
) -> ShopReport:
    """Look until nothing is broken or unknown, or until the time is over. What was broken at every look is reported.

    The first look reads everything. A further look reads only what was broken at every look so far and what belongs
    to it, and in full whatever could not be read before. A claim whose facts could not be read at the last look is
    unknown, whatever earlier looks showed.
    A claim that was broken at the only look that could judge it gets one more look after the time is over. If the
    facts cannot be read then either, the claim is unknown.
    Raises: as `read` does.
    """
    deadline = Deadline(settle_seconds)
    facts = read(Scope())
    lasting = _broken(facts)
    whole = _reports(lasting, facts)
    units = oversold(facts)
    times = Counter(list(lasting))
    one_more = False
    while any(lasting.values()) or facts.unknown:
        if deadline.expired:
            if one_more or not _seen_once(lasting, times):
                break
            one_more = True
        progress(
            "shop: something could not be looked at; looking again"
            if facts.unknown
            else "shop: something does not hold; looking again, for the stores are read one after the other"
        )
        # The one look past the deadline waits as long as every other.
        (Deadline(pause_seconds) if one_more else deadline).pause(pause_seconds)
        facts = read(scope_of(lasting, facts))
        now = _broken(facts)
        times.update(list(now))
        whole = _reports(now, facts) | whole  # the first look at a claim is the whole one
        lasting = {name: now[name] for name in now if name not in lasting} | {
            name: _in_both(before, now.get(name, [])) if CLAIMS[name].is_judged_by(facts) else before
            for name, before in lasting.items()
        }
        units = units if (seen := oversold(facts)) is None else seen
    once = [name for name in _seen_once(lasting, times) if CLAIMS[name].is_judged_by(facts)]
    known = {
        name: replace(whole[name], keys=tuple(lasting[name]))
        for name in CLAIMS
        if name in lasting and name not in once and CLAIMS[name].is_judged_by(facts)
    }
    unknown = [*facts.unknown.values(), *(f"{name}: does not hold at the only look at it" for name in once)]
    return ShopReport(known, units, tuple(dict.fromkeys(unknown)))


def scope_of(lasting: dict[str, list[str]], facts: ShopFacts) -> Scope:
    """What the next look has to read, after `facts` were read."""
    parts = {part for name, broken in lasting.items() if broken for part in CLAIMS[name].needs}
    if facts.unknown:
        # What is judged for the first time is judged whole, and so is all that it is compared with.
        again = (claim.needs for claim in CLAIMS.values() if not claim.is_judged_by(facts))
        return Scope(frozenset(parts).union(*again))
    subjects = {_subject(word) for broken in lasting.values() for word in broken}
    keys = {subject.removeprefix("checkout ") for subject in subjects if subject.startswith("checkout ")}
    payments = {
        int(subject.removeprefix("payment ")) for subject in subjects if re.fullmatch(r"payment \d+", subject)
    }
    of_checkouts = {one.order_id for one in facts.checkouts or () if one.key in keys and one.order_id is not None}
    parcels = {int(subject.removeprefix("parcel ")) for subject in subjects if re.fullmatch(r"parcel \d+", subject)}
    # The orders that these payments and parcels are for: what else belongs to such an order is read too.
    of_payments = {one.order_id for one in facts.payments or () if one.id in payments}
    of_parcels = {one.order_id for one in facts.parcels or () if one.id in parcels}
    return Scope(
        frozenset(parts),
        frozenset(keys),
        frozenset(of_checkouts | of_payments | of_parcels),
        frozenset(payments),
    )


def _broken(facts: ShopFacts) -> dict[str, list[str]]:
    return {name: broken for name, claim in CLAIMS.items() if (broken := claim(facts)) is not None}


def _reports(broken: dict[str, list[str]], facts: ShopFacts) -> dict[str, ClaimReport]:
    return {name: CLAIMS[name].report(name, keys, facts) for name, keys in broken.items()}


def _seen_once(lasting: dict[str, list[str]], times: Counter[str]) -> list[str]:
    """The claims that are broken after one look."""
    return [name for name, broken in lasting.items() if broken and times[name] == 1]


def _in_both(before: list[str], now: list[str]) -> list[str]:
    # Compared by subject. The details may differ: an age or an amount may have changed meanwhile.
    subjects = {_subject(word) for word in before}
    return [word for word in now if _subject(word) in subjects]


def _subject(word: str) -> str:
    return word.split(": ")[0]  # a checkout's key may hold a colon, and never a space
