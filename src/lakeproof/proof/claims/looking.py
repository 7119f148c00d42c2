"""Looks at every claim, again and again for a while: what is broken at every look is broken."""

import re
import secrets
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from lakeproof.deadline import Deadline
from lakeproof.errors import LakeproofError
from lakeproof.processes.parts import parts_of
from lakeproof.proof.claims.facts import Scope, ShopFacts, Store
from lakeproof.proof.claims.judging import CLAIMS
from lakeproof.proof.claims.judging_stock import oversold
from lakeproof.proof.claims.reading import read_facts
from lakeproof.stack.stack import Stack

SETTLE_SECONDS = 15.0
PAUSE_SECONDS = 1.0


@dataclass(frozen=True)
class Judged:
    """How many of what; `aside`: what was left out of it, or allowed, "" for nothing."""

    count: int
    subjects: str
    aside: str = ""


@dataclass(frozen=True)
class Findings:
    """Claim → the keys that break it (claims whose stores are not part of the stack are left out).

    oversold: units; None where there is no stock. unknown: what could not be looked at, and why.
    judged: claim → how many of what were judged, whole: with none of them it holds of nothing.
    """

    broken: dict[str, list[str]]
    oversold: int | None
    unknown: tuple[str, ...] = ()
    judged: dict[str, Judged] = field(default_factory=dict)


def look(
    stack: Stack, progress: Callable[[str], None] = lambda text: None, *, settle_seconds: float = SETTLE_SECONDS
) -> Findings:
    """What does not hold in the shop's stores; takes `settle_seconds` and a look where something does not hold."""
    try:
        stores = stores_of(stack)
        if not stores & {Store.SHOP, Store.STOCK}:
            return Findings({}, None)
        seed = secrets.randbelow(1_000_000)  # the same at every look of this check, another at the next check
        return settled(
            lambda scope: read_facts(stack, stores, scope, seed, progress), progress, settle_seconds=settle_seconds
        )
    except LakeproofError as error:
        return Findings({}, None, (error.message,))


def stores_of(stack: Stack) -> frozenset[Store]:
    """The stores that are part of the stack.

    Not told by their data: stores of an earlier `up --all` would make every later check unknown.
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
) -> Findings:
    """Look until nothing is broken or unknown, or until the time is over: then what was so at every look is told.

    All is read once; after that only what was broken at every look before, and what belongs to it, and whole what
    could not be read. A claim whose facts could not be read at the last look is unknown, whatever it was before.
    Once the time is over there is one more look where something broke at its only look; what is broken and was still
    looked at once only, for it could not be before, is unknown.
    Raises: as `read` does.
    """
    deadline = Deadline(settle_seconds)
    facts = read(Scope())
    lasting = _broken(facts)
    judged = _judged(lasting, facts)
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
        judged = _judged(now, facts) | judged  # the first look at a claim is the whole one
        lasting = {name: now[name] for name in now if name not in lasting} | {
            name: _in_both(before, now.get(name, [])) if CLAIMS[name].is_judged_by(facts) else before
            for name, before in lasting.items()
        }
        units = units if (seen := oversold(facts)) is None else seen
    once = [name for name in _seen_once(lasting, times) if CLAIMS[name].is_judged_by(facts)]
    known = {
        name: lasting[name]
        for name in CLAIMS
        if name in lasting and name not in once and CLAIMS[name].is_judged_by(facts)
    }
    unknown = [*facts.unknown.values(), *(f"{name}: does not hold at the only look at it" for name in once)]
    return Findings(known, units, tuple(dict.fromkeys(unknown)), judged)


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
    # Whose they are, and what else belongs to that order.
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


def _judged(names: Iterable[str], facts: ShopFacts) -> dict[str, Judged]:
    return {
        name: Judged(CLAIMS[name].count(facts), CLAIMS[name].subjects, CLAIMS[name].aside(facts)) for name in names
    }


def _seen_once(lasting: dict[str, list[str]], times: Counter[str]) -> list[str]:
    """The claims that are broken after one look."""
    return [name for name, broken in lasting.items() if broken and times[name] == 1]


def _in_both(before: list[str], now: list[str]) -> list[str]:
    # By what is concerned, not by the words: an age or an amount may have changed meanwhile.
    subjects = {_subject(word) for word in before}
    return [word for word in now if _subject(word) in subjects]


def _subject(word: str) -> str:
    return word.split(": ")[0]  # a checkout's key may hold a colon, and never a space
