"""audit: what it costs to judge published hashes by what changed between them, beside reading each of them whole.

The same hashes, published under load just before, are judged in both ways in turns, and both ways must find the same.
That holds even where the tables are so small that the minute's audit (proof/audit.py) would read them whole. Hashes
between which nothing changed are one state, which is read once.
"""

import sys
from typing import Any

from benchmarks.benchmark import Benchmark, Options, Progress, Ratio, Result
from lakeproof.deadline import Deadline
from lakeproof.errors import CouldNotLook
from lakeproof.lake.publish import history
from lakeproof.lake.publish.commit import PublishedCommit
from lakeproof.lake.query.answer import StatementFailed
from lakeproof.lake.query.trino import pinned_trino
from lakeproof.proof.tables.by_changes import Changes
from lakeproof.proof.tables.every_hash import EveryHash
from lakeproof.stack.stack import Stack
from lakeproof_shop.customers.shoppers import start as start_shoppers

HASHES = 30
ROUNDS = 2
CALLS_PER_SECOND = 20.0
LONGEST_SECONDS = 600.0
LOOK_SECONDS = 600.0
MOST_UNANSWERED = 6
WHOLE, CHANGES = "whole", "what changed"

type Told = dict[str, set[str]]


def run(stack: Stack, options: Options, progress: Progress) -> Result:
    """Raises: CouldNotLook, StatementFailed where Nessie or Trino gave no answer at the beginning or the end."""
    wanted = options.hashes or HASHES
    rate = options.rates[0] if options.rates else CALLS_PER_SECOND
    first = history.newest(stack)
    shoppers = start_shoppers(stack, rate, options.seed)
    over = Deadline(options.seconds or LONGEST_SECONDS)
    try:
        while len(published := history.since(stack, first.hash)) < wanted and not over.expired:
            progress(f"{len(published)} of {wanted} hashes published")
            over.pause(2.0)
    finally:
        shoppers.stop()
    rows, told = [], list[Told]()
    for number in range(options.rounds or ROUNDS):
        for way in (WHOLE, CHANGES) if number % 2 else (CHANGES, WHOLE):
            row, found = _judge(stack, first, len(published), way, progress)
            progress(f"{way}: {row['hashes']} hashes in {row['seconds']} s")
            rows.append({"round": number + 1, **row})
            told.append({one.hash: found.get(one.hash, set()) for one in published})
    return result_of(options, rows, told, _orders(stack, published[-1] if published else first))


def _judge(
    stack: Stack, first: PublishedCommit, wanted: int, way: str, progress: Progress
) -> tuple[dict[str, Any], Told]:
    changes = Changes(stack, least_rows=0 if way == CHANGES else sys.maxsize)
    following, look, unanswered = EveryHash(stack, first.hash, changes=changes), Deadline(LOOK_SECONDS), 0
    while not look.expired:
        try:
            following.look(look)
            break
        except (CouldNotLook, StatementFailed) as error:
            # The states of this look were too many for Trino. The next look asks about half as many, down to one.
            unanswered += 1
            if unanswered == MOST_UNANSWERED:
                progress(f"{way}: given up, {error.message}")
                break
    seconds = look.elapsed
    row = {
        "way": way,
        "hashes": following.judged,
        "not_judged": following.not_looked + following.waiting if following.judged else wanted,
        "torn": len(following.torn),
        "states_by_changes": changes.judged,
        "states_whole": changes.read_whole,
        "unanswered": unanswered,
        "seconds": round(seconds, 1),
        "seconds_a_state": round(seconds / max(1, changes.judged + changes.read_whole), 2),
    }
    return row, {one.commit.hash: {f"{each.subject}: {each.detail}" for each in one.broken} for one in following.torn}


def _orders(stack: Stack, commit: PublishedCommit) -> int:
    deadline = Deadline(60)
    with pinned_trino(stack, commit, deadline) as trino:
        ((number,),) = trino.run("SELECT COUNT(*) FROM oltp.orders", deadline).rows
    return int(number)


def result_of(options: Options, rows: list[dict[str, Any]], told: list[Told], orders: int) -> Result:
    """The result of the rounds. It fails where the two ways do not find the same."""
    # Rounds that judged every hash must agree. What a partial round found, each whole round must have found too.
    all_judged = [one for one, row in zip(told, rows, strict=True) if not row["not_judged"]]
    alike = all(one == all_judged[0] for one in all_judged) and all(
        other.get(nessie_hash) == broken
        for one in told
        for nessie_hash, broken in one.items()
        if broken
        for other in all_judged
    )
    costs = {way: [row["seconds_a_state"] for row in rows if row["way"] == way] for way in (WHOLE, CHANGES)}
    ratio = sum(costs[CHANGES]) / max(0.001, sum(costs[WHOLE]))
    notes = [f"{orders} orders in the lake"]
    by_changes, whole = (
        sum(row[name] for row in rows if row["way"] == CHANGES) for name in ("states_by_changes", "states_whole")
    )
    if by_changes <= whole:
        notes.append("of most states it could not be told what changed, so they were read whole in both ways")
    if not alike:
        notes.append("the two ways do not tell the same of these hashes")
    return Result(
        "audit",
        options,
        {"rounds": rows},
        [Ratio("seconds a state, by what changed to whole", round(ratio, 2), "below 1", ratio < 1)],
        notes,
        failed=not alike,
        unknown=any(row["not_judged"] or not row["hashes"] for row in rows) or by_changes <= whole,
    )


BENCHMARK = Benchmark(
    "audit",
    "judging published hashes by what changed between them, beside reading each whole: seconds, and the same answer",
    (
        *("order-service", "mysql", "kafka", "connect", "minio", "flink-taskmanager"),
        *("nessie", "publisher", "lag-exporter", "trino"),
    ),
    run,
)
