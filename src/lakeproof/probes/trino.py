"""Questions to Trino about its queries: who runs how many, who waits, and for how long. It answers while busy."""

from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime

from lakeproof.errors import CouldNotLook
from lakeproof.lake.query.statement import without_values
from lakeproof.lake.query.trino_queries import QUEUED, Query, busiest, queries
from lakeproof.probes.condition import Condition, Operator
from lakeproof.probes.probe import Probe
from lakeproof.probes.reading import Value
from lakeproof.probes.round import once
from lakeproof.stack.engines.trino import NAME
from lakeproof.stack.stack import Stack

NOBODY = "nobody"
LONGEST_TEXT = 200


def _all(stack: Stack, timeout: float) -> list[Query]:
    """The queries, asked for once in a round: a busy Trino answers this question late, and several probes have it."""
    return once(("trino queries", stack.url(NAME)), lambda: queries(stack, timeout))


def queued(stack: Stack, timeout: float) -> Value:
    """How many queries wait for a place in their group."""
    return sum(one.waits for one in _all(stack, timeout))


def by_user(stack: Stack, timeout: float) -> Value:
    """How many queries each user runs and has waiting, in words; "nobody" for none. This question is no query."""
    groups: defaultdict[tuple[str, str], list[Query]] = defaultdict(list)
    for one in _all(stack, timeout):
        if one.lives:
            groups[one.user, one.group].append(one)
    words = []
    for (user, group), held in sorted(groups.items()):
        waiting = sum(one.waits for one in held)
        begin = sum(one.state == QUEUED for one in held) - waiting
        counts = f"{len(held) - waiting - begin} run, {waiting} wait" + (f", {begin} begin" if begin else "")
        words.append(f"{user} in {group or 'no group'}: {counts}")
    return "; ".join(words) or NOBODY


def oldest(stack: Stack, timeout: float) -> Value:
    """Age in seconds of the oldest query of the user who alone fills a group; None where nobody does.

    Raises: CouldNotLook, also where Trino does not tell whose group is full.
    """
    return _age(_all(stack, timeout), lambda one: one.lives)


def longest_wait(stack: Stack, timeout: float) -> Value:
    """The longest wait, in seconds, of the user who alone fills a group; None where nobody does.

    Raises: as `oldest`.
    """
    return _age(_all(stack, timeout), lambda one: one.group_full is True)


def oldest_text(stack: Stack, timeout: float) -> Value:
    """The SQL of the query of `oldest` without its values, and what it holds in memory; "nobody" where there is none.

    Raises: as `oldest`.
    """
    found = _all(stack, timeout)
    user = _filler(found)
    first = min((one for one in found if one.user == user and one.lives), key=lambda one: one.made_at, default=None)
    if first is None:
        return NOBODY
    told = without_values(first.text)
    text = told if len(told) <= LONGEST_TEXT else f"{told[:LONGEST_TEXT]}… ({len(told)})"
    return f"{first.user}, {first.memory or 'memory not told'}: {text}"


def _filler(found: list[Query]) -> str | None:
    """The user who alone fills a group. Raises: CouldNotLook where Trino does not tell whose group is full."""
    user = busiest(found)
    if user is None and any(one.group_full is None for one in found):
        raise CouldNotLook(
            "queries wait, and Trino does not tell whose resource group is full",
            where=NAME,
            next_action="let lakeproof-diagnosis read /v1/resourceGroupState",
        )
    return user


def _age(found: list[Query], counts: Callable[[Query], bool]) -> float | None:
    user = _filler(found)
    ages = [(datetime.now(UTC) - one.made_at).total_seconds() for one in found if one.user == user and counts(one)]
    return round(max(ages), 1) if ages else None


PROBES = (
    Probe(
        "trino-queued",
        NAME,
        "GET /v1/query: QUEUED for want of a place",
        "queries",
        queued,
        Condition(Operator.IS, 0),
    ),
    Probe("trino-queries-by-user", NAME, "GET /v1/query: running and queued by user and group", "", by_user),
    Probe("trino-oldest-query", NAME, "GET /v1/query: the oldest of the user who alone fills a group", "s", oldest),
    Probe("trino-oldest-text", NAME, "GET /v1/query: the SQL of that one, and what it holds", "", oldest_text),
    Probe(
        "trino-longest-wait",
        NAME,
        "GET /v1/query, /v1/resourceGroupState: the longest wait of the user who alone fills a group",
        "s",
        longest_wait,
    ),
)
