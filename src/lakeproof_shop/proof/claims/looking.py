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
from lakeproof.proof.report import ClaimReport
from lakeproof.stack.stack import Stack
from lakeproof_shop.proof.claims.catalog import CLAIMS
from lakeproof_shop.proof.claims.facts import Scope, ShopFacts, Store
from lakeproof_shop.proof.claims.reading import read_facts
from lakeproof_shop.proof.claims.stock_claims import oversold

log = logging.getLogger(__name__)

SETTLE_SECONDS = 15.0
SHOWN = 5
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
    except Exception as error:  # the top of the shop's part: the ledger and the lake are reported all the same
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
    A subject that a look could not judge, such as a SKU that is bought all the time, stays as the look before found
    it. A subject that was broken at the only look that could judge it gets one more look after the time is over. If
    it cannot be judged then either, it is unknown.
    Raises: as `read` does.
    """
    deadline = Deadline(settle_seconds)
    facts = read(Scope())
    lasting = _broken(facts)
    whole = _reports(lasting, facts)
    units = oversold(facts)
    times = _seen(lasting)
    one_more = False
    while any(lasting.values()) or facts.unknown:
        if deadline.expired:
            if one_more or not any(_seen_once(name, lasting, times) for name in lasting):
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
        times += _seen(now)
        whole = _reports(now, facts) | whole  # the first look at a claim is the whole one
        lasting = {name: now[name] for name in now if name not in lasting} | {
            name: _still(name, before, now.get(name, []), facts) if CLAIMS[name].is_judged_by(facts) else before
            for name, before in lasting.items()
        }
        units = units if (seen := oversold(facts)) is None else seen
    judged = [name for name in CLAIMS if name in lasting and CLAIMS[name].is_judged_by(facts)]
    once = {name: _seen_once(name, lasting, times) for name in judged}
    known = {
        name: replace(whole[name], keys=tuple(word for word in lasting[name] if word not in once[name]))
        for name in judged
        if not once[name] or len(once[name]) < len(lasting[name])
    }
    unknown = [
        *facts.unknown.values(),
        *(_only_once(name, once[name], name in known) for name in judged if once[name]),
    ]
    return ShopReport(known, units, tuple(dict.fromkeys(unknown)))


def scope_of(lasting: dict[str, list[str]], facts: ShopFacts) -> Scope:
    """What the next look has to read, after `facts` were read."""
    parts = {part for name, broken in lasting.items() if broken for part in CLAIMS[name].needs}
    subjects = {_subject(word) for broken in lasting.values() for word in broken}
    if facts.unknown:
        # A claim that is judged for the first time needs all its facts, and those that they are compared with.
        again = (claim.needs for claim in CLAIMS.values() if not claim.is_judged_by(facts))
        return Scope(frozenset(parts).union(*again), None, None, None, *_looked_at_in_any_case(subjects))
    keys = {subject.removeprefix("checkout ") for subject in subjects if subject.startswith("checkout ")}
    payments = {
        int(subject.removeprefix("payment ")) for subject in subjects if re.fullmatch(r"payment \d+", subject)
    }
    of_checkouts = {one.order_id for one in facts.checkouts or () if one.key in keys and one.order_id is not None}
    parcels = {int(subject.removeprefix("parcel ")) for subject in subjects if re.fullmatch(r"parcel \d+", subject)}
    # The orders that these payments and parcels are for: what else belongs to such an order is read too.
    of_payments = {one.order_id for one in facts.payments or () if one.id in payments}
    of_parcels = {one.order_id for one in facts.parcels or () if one.id in parcels}
    orders = frozenset(of_checkouts | of_payments | of_parcels)
    return Scope(frozenset(parts), frozenset(keys), orders, frozenset(payments), *_looked_at_in_any_case(subjects))


def _looked_at_in_any_case(subjects: set[str]) -> tuple[frozenset[int], frozenset[int], frozenset[str]]:
    """The cases, attachments and events among the subjects."""
    numbers = {
        noun: frozenset(int(one.split()[1]) for one in subjects if re.fullmatch(rf"{noun} \d+", one))
        for noun in ("case", "attachment")
    }
    events = frozenset(one.removeprefix("event ") for one in subjects if one.startswith("event "))
    return numbers["case"], numbers["attachment"], events


def _broken(facts: ShopFacts) -> dict[str, list[str]]:
    return {name: broken for name, claim in CLAIMS.items() if (broken := claim(facts)) is not None}


def _reports(broken: dict[str, list[str]], facts: ShopFacts) -> dict[str, ClaimReport]:
    return {name: CLAIMS[name].report(name, keys, facts) for name, keys in broken.items()}


def _seen(broken: dict[str, list[str]]) -> Counter[tuple[str, str]]:
    """Counts 1 for each claim and subject that is broken at this look, to be added up over the looks."""
    return Counter({(name, _subject(word)) for name, words in broken.items() for word in words})


def _seen_once(name: str, lasting: dict[str, list[str]], times: Counter[tuple[str, str]]) -> list[str]:
    """The violations whose subject was seen broken at one look only."""
    return [word for word in lasting[name] if times[name, _subject(word)] == 1]


def _only_once(name: str, words: list[str], has_more: bool) -> str:
    """The reason for unknown. has_more: other subjects break the claim for certain."""
    what = f"{', '.join(_subject(word) for word in words[:SHOWN])} did not hold" if has_more else "does not hold"
    return f"{name}: {what} at the only look at it"


def _still(name: str, before: list[str], now: list[str], facts: ShopFacts) -> list[str]:
    """The violations whose subject was broken before and is broken now, or could not be judged now.

    They are compared by subject. The details may differ: an age or an amount may have changed meanwhile.
    """
    subjects, broken = {_subject(word) for word in before}, {_subject(word) for word in now}
    each = CLAIMS[name].each
    judged = None if each is None else each(facts)
    left_out = [] if judged is None else [word for word in before if _subject(word) not in judged | broken]
    return [word for word in now if _subject(word) in subjects] + left_out


def _subject(word: str) -> str:
    return word.split(": ")[0]  # a checkout's key may hold a colon, and never a space
