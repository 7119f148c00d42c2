"""Looks at every claim, again and again for a while: what is broken at every look is broken."""

from collections.abc import Callable
from dataclasses import dataclass

from lakeproof.deadline import Deadline
from lakeproof.errors import LakeproofError
from lakeproof.processes.client import SupervisorClient
from lakeproof.shop.claims.facts import ShopFacts, Store
from lakeproof.shop.claims.judging import CLAIMS, oversold
from lakeproof.shop.claims.reading import read_facts
from lakeproof.stack.stack import Stack

SETTLE_SECONDS = 15.0
PAUSE_SECONDS = 1.0


@dataclass(frozen=True)
class Findings:
    """Claim → the keys that break it (claims whose stores are not part of the stack are left out).

    oversold: units; None where there is no stock. unknown: what could not be looked at, and why.
    """

    broken: dict[str, list[str]]
    oversold: int | None
    unknown: tuple[str, ...] = ()


def look(stack: Stack, progress: Callable[[str], None] = lambda text: None) -> Findings:
    """What does not hold in the shop's stores; takes SETTLE_SECONDS at most where something does not hold."""
    try:
        stores = stores_of(stack)
        if not stores - {Store.ORDERS}:
            return Findings({}, None)
        return settled(lambda: read_facts(stack, stores), progress)
    except LakeproofError as error:
        return Findings({}, None, (error.message,))


def stores_of(stack: Stack) -> frozenset[Store]:
    """The stores that are part of the stack: wanted since its supervisor started, or, of somebody else's, named.

    Not by their data: those of an earlier `up --all` would make every later check unknown.
    Raises: as the supervisor's client, where it runs and does not answer.
    """
    if stack.settings.mode == "external":
        return frozenset(store for store in Store if store.value in stack.settings.endpoints)
    client = SupervisorClient(stack)
    if not client.running():
        return frozenset()
    wanted = {row.name for row in client.ps()}
    return frozenset(store for store in Store if store.value in wanted)


def settled(
    read: Callable[[], ShopFacts],
    progress: Callable[[str], None],
    *,
    settle_seconds: float = SETTLE_SECONDS,
    pause_seconds: float = PAUSE_SECONDS,
) -> Findings:
    """Look until nothing is broken, or until the time is over: then what was broken at every look is told."""
    deadline = Deadline(settle_seconds)
    lasting: dict[str, list[str]] | None = None
    while True:
        facts = read()
        now = {name: broken for name, claim in CLAIMS.items() if (broken := claim(facts)) is not None}
        lasting = now if lasting is None else _in_both(lasting, now)
        if not any(lasting.values()) or deadline.expired:
            return Findings(lasting, oversold(facts))
        progress("shop: something does not hold; looking again, for the stores are read one after the other")
        deadline.pause(pause_seconds)


def _in_both(before: dict[str, list[str]], now: dict[str, list[str]]) -> dict[str, list[str]]:
    # By what is concerned, not by the words: an age or an amount may have changed meanwhile.
    return {
        name: [word for word in now.get(name, []) if _subject(word) in {_subject(each) for each in broken}]
        for name, broken in before.items()
    }


def _subject(word: str) -> str:
    return word.split(": ")[0]  # a checkout's key may hold a colon, and never a space
