"""recovery: for how long nothing is published after kill -9 of a component, under load by SQL.

Each round waits until the lake has caught up, kills the component at an instant that --seed decides, and takes the
longest pause between two published commits around that instant. The age of the newest heartbeat just before the end
of the pause is the oldest state that a reader saw.
"""

import random
import statistics
import time
from collections.abc import Sequence
from typing import Any

from benchmarks.benchmark import Benchmark, Options, Progress, Ratio, Result
from benchmarks.rate import catch_up
from benchmarks.sql_shop import sql_shoppers
from lakeproof.deadline import Deadline
from lakeproof.lake.publish import history
from lakeproof.lake.publish.commit import PublishedCommit
from lakeproof.lake.sources.source import OLTP
from lakeproof.processes.client import SupervisorClient
from lakeproof.processes.killing import kill_and_await
from lakeproof.stack.stack import Stack

KILLED = ("flink-taskmanager",)
ROUNDS = 3
ORDERS_PER_SECOND = 20.0
BACK_SECONDS = 240.0
# After this many commits since the component was healthy again, publishing counts as going on.
STEADY_COMMITS = 3
LOOKED_AT = 400
PAUSE_SECONDS = (5.0, 9.0)
AIM_SECONDS = 20.0


def run(stack: Stack, options: Options, progress: Progress) -> Result:
    """Raises: InvalidInput for a name that is no component's; DeadlineExpired where one does not come back."""
    client, dice = SupervisorClient(stack), random.Random(options.seed)
    names = options.kills or KILLED
    for name in names:
        client.row(name)
    rate = options.rates[0] if options.rates else ORDERS_PER_SECOND
    rows: list[dict[str, Any]] = []
    shoppers = sql_shoppers(stack, rate, "recovery")
    try:
        for number in range(1, (options.rounds or ROUNDS) + 1):
            for name in names:
                catch_up(stack)
                pause = dice.uniform(*PAUSE_SECONDS)
                Deadline(pause).pause(pause)
                rows.append({"round": number, "killed": name, **_round(stack, client, name)})
                told = "the pause is unknown" if (pause_s := rows[-1]["pause_s"]) is None else f"{pause_s:g} s"
                progress(f"{number}: {name} killed, nothing published: {told}")
    finally:
        report = shoppers.stop()
    return Result(
        "recovery",
        options,
        {f"kill -9 at {rate:g} orders/s": rows},
        [
            Ratio.at_most(f"{name}: median pause to {AIM_SECONDS:g} s", statistics.median(pauses), AIM_SECONDS)
            for name in names
            if (pauses := [row["pause_s"] for row in rows if row["killed"] == name and row["pause_s"] is not None])
        ],
        [f"{report.counts.acknowledged} calls acknowledged, {report.counts.refused} refused meanwhile"],
        unknown=any(row["pause_s"] is None for row in rows),
    )


def _round(stack: Stack, client: SupervisorClient, name: str) -> dict[str, Any]:
    killed_at, deadline = time.time(), Deadline(BACK_SECONDS)
    kill_and_await(client, [name], deadline)
    healthy_s = time.time() - killed_at

    def steady() -> list[PublishedCommit] | None:
        commits = _published(stack)
        later = [each for each in commits if each.at.timestamp() > killed_at + healthy_s]
        return commits if len(later) >= STEADY_COMMITS else None

    found = pause_around(Deadline(BACK_SECONDS).wait_for("publishing to go on", steady, every=1.0), killed_at)
    return {"healthy_after_s": round(healthy_s, 1), **found}


def _published(stack: Stack) -> list[PublishedCommit]:
    """Of the newest LOOKED_AT commits, those that moved MariaDB's tables, oldest first."""
    return [each for each in history.log(stack, LOOKED_AT) if each.moved == OLTP.name][::-1]


def pause_around(commits: Sequence[PublishedCommit], killed_at: float) -> dict[str, Any]:
    """The longest pause between commits, from the last one before `killed_at` (UNIX seconds) on.

    commits: oldest first. worst_age_s in the answer: how old the newest published heartbeat was just before the pause
    ended. All is None where no commit is from before the kill: nobody knows then when the pause began.
    """
    before = [place for place, each in enumerate(commits) if each.at.timestamp() <= killed_at]
    if not before:
        return dict.fromkeys(("pause_s", "published_after_s", "worst_age_s"))
    pairs = list(zip(commits[before[-1] :], commits[before[-1] + 1 :], strict=False))
    last, following = max(pairs, key=lambda pair: pair[1].at - pair[0].at)
    ends, beat_us = following.at.timestamp(), last.beat_of(OLTP.name)
    return {
        "pause_s": round((following.at - last.at).total_seconds(), 1),
        "published_after_s": round(ends - killed_at, 1),
        "worst_age_s": None if beat_us is None else round(ends - beat_us / 1e6, 1),
    }


BENCHMARK = Benchmark(
    "recovery",
    "seconds without a publish after kill -9 under load; --kill NAME…, the TaskManager by default, --rounds N",
    (
        *("mysql", "kafka", "connect", "minio", "flink-jobmanager"),
        *("flink-taskmanager", "nessie", "publisher", "lag-exporter"),
    ),
    run,
)
