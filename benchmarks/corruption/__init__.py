"""corruption: kinds of damage planted one by one into a quiet stack, and what `check` makes of each.

A round plants one kind in one store, runs `check`, takes the damage out again and runs `check` once more, which must
pass. A kind whose store is not part of the running stack is not drawn. A hunt continues an earlier hunt with the same
seed and the same --only that was killed or ended, by its journal in the stack's state folder. No round begins after
--seconds.
The publisher's minute audit may find the damage too and freeze `main`. That is counted, and a restart of the
publisher releases `main`.
"""

import re

from benchmarks.benchmark import Benchmark, Options, Progress, Ratio, Result
from benchmarks.corruption import (
    hunt,
    kinds_cassandra,
    kinds_checkout,
    kinds_lake,
    kinds_ledger,
    kinds_mariadb,
    kinds_objects,
    kinds_postgres,
)
from benchmarks.corruption.kind import Kind
from benchmarks.corruption.stores import Stores
from lakeproof.errors import TerminalError
from lakeproof.processes.client import SupervisorClient
from lakeproof.proof.checking import check
from lakeproof.proof.outcome import Outcome
from lakeproof.stack.stack import Stack
from lakeproof_shop.customers.shoppers.traffic import new_run, of_stack, serve_in_new_loop

SEED, ROUNDS = 1, 60
RATE, SECONDS = 20.0, 15.0
BUYERS = 3.0
# How long the first check waits for the lake: in a stack that was just started, the lake is minutes behind.
BEGIN_SECONDS = 240.0


def all_kinds() -> list[Kind]:
    """Every kind, in the order of the files."""
    families = (
        kinds_mariadb,
        kinds_lake,
        kinds_ledger,
        kinds_checkout,
        kinds_postgres,
        kinds_cassandra,
        kinds_objects,
    )
    return [kind for family in families for kind in family.kinds()]


def run(stack: Stack, options: Options, progress: Progress) -> Result:
    """Raises: TerminalError where `check` does not pass before the first round."""
    seed, rounds = options.seed or SEED, options.rounds or ROUNDS
    stores = Stores(stack)
    everything = [kind for kind in all_kinds() if not options.only or any(word in kind.name for word in options.only)]
    kinds = [kind for kind in everything if all(stores.has(one) for one in kind.needs)]
    left_out = [kind for kind in everything if kind not in kinds]
    of = "-".join(re.sub(r"\W+", "_", word) for word in ("corruption", str(seed), *options.only))
    journal = hunt.Journal(stack.state_dir / "hunts" / f"{of}.jsonl")
    engines = ("trino",)
    if not journal.begun:
        _buy(stack, seed, progress)
    elif not journal.left:
        hunt.release_if_frozen(stores)  # an earlier hunt may have ended just after the damage was out
    if not journal.left:
        report = check(stack, engines=engines, cover_seconds=BEGIN_SECONDS)
        if report.outcome is not Outcome.PASSED:
            raise TerminalError(
                f"check does not pass before the first round: {hunt.in_words(report)}", where="corruption"
            )
    budget = options.seconds or float("inf")
    empty = hunt.hunt(stores, lambda: check(stack, engines=engines), kinds, journal, seed, rounds, progress, budget)
    found = hunt.counts(journal.rounds)
    rows = [
        {
            "round": one.number,
            "kind": one.kind,
            "outcome": str(one.found),
            "told": one.told,
            "frozen by the audit": one.frozen,
            "clean_again": one.clean_again,
            "s": one.seconds,
        }
        for one in journal.rounds
    ]
    missed, false = found["missed"], found["false alarms"]
    played = len(journal.rounds)
    planted = max(1, played - found[hunt.Found.NOTHING])
    return Result(
        "corruption",
        options,
        {"rounds": rows, "counts": [dict(found)]},
        [
            Ratio("missed to rounds that planted something", round(missed / planted, 3), "0", missed == 0),
            Ratio("false alarms to healthy checks", round(false / planted, 3), "0", false == 0),
        ],
        [
            f"{played} of {rounds} rounds, {len(kinds)} of {len(everything)} kinds, seed {seed}",
            *(f"not drawn, its store is not part of this stack: {kind.name}" for kind in left_out),
            *(f"nothing to plant on: {one}" for one in empty),
        ],
        failed=missed > 0 or false > 0,
        unknown=played < rounds or found["unknown"] > 0,
    )


def _buy(stack: Stack, seed: int, progress: Progress) -> None:
    """Let shoppers make some hundred orders, and buyers check out where the whole shop is up."""
    whole = "payment-service" in {row.name for row in SupervisorClient(stack).ps()}
    progress(f"shoppers buy for {SECONDS:g} s")
    traffic = of_stack(stack, RATE, seed, new_run(seed), None, BUYERS if whole else 0.0)
    serve_in_new_loop(traffic, SECONDS, lambda counts, elapsed: None)


BENCHMARK = Benchmark(
    "corruption",
    "kinds of corruption planted one by one: how many does check find, and does it pass when they are gone",
    ("mysql", "order-service", "connect", "lag-exporter", "publisher", "flink-taskmanager", "trino"),
    run,
)
