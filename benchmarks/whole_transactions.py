"""whole-transactions: every hash published while components are killed: does one show a part of a transaction?

Shoppers buy by HTTP. Now and then one or two of the named components, chosen by seed, are killed with kill -9: as
often as time allows until all hashes are judged, or with --rounds that many times, spread evenly over the hashes.
Each hash that is published meanwhile is judged by itself, through Trino: orders, their items and their events must
belong together, and in the whole shop every payment, parcel and case with what belongs to it.
"""

import random
import threading
from collections.abc import Sequence
from typing import Any

from benchmarks.benchmark import Benchmark, Options, Progress, Ratio, Result
from lakeproof.deadline import Deadline
from lakeproof.errors import CouldNotLook, LakeproofError
from lakeproof.lake.publish import history
from lakeproof.lake.publish.commit import PublishedCommit
from lakeproof.processes.client import SupervisorClient
from lakeproof.processes.killing import kill_and_await
from lakeproof.proof.tables.every_hash import EveryHash, Torn
from lakeproof.stack.stack import Stack
from lakeproof_shop.customers.shoppers import start as start_shoppers

HASHES = 100
CALLS_PER_SECOND = 30.0
# The least and the most seconds between the first state published after a kill and the next kill.
PAUSE_SECONDS = (3.0, 20.0)
SHARE_OF_PAIRS = 1 / 3
BACK_SECONDS = 240.0
# About ten hashes are published between two looks. They share one catalog, and stay readable for much longer.
LOOKS_EVERY_SECONDS = 20.0
LOOK_SECONDS = 30.0
LAST_LOOK_SECONDS = 300.0
LONGEST_SECONDS = 86_400.0
KEYS_SHOWN = 5


class Judging:
    """Judges published hashes on a thread, until `stop`.

    problems: why looks had to be repeated. seconds: the time of all looks. complete: every hash was reached.
    """

    def __init__(self, following: EveryHash, progress: Progress) -> None:
        self.following = following
        self.problems: list[str] = []
        self.seconds = 0.0
        self.complete = False
        self._progress = progress
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="judging", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Judge the remaining hashes for at most LAST_LOOK_SECONDS, then end."""
        self._over.set()
        self._thread.join(LAST_LOOK_SECONDS)

    def _run(self) -> None:
        last_look, looked = Deadline(LONGEST_SECONDS), True
        while not last_look.expired:
            # No pause while hashes wait: one that waits too long cannot be read any more.
            behind = looked and self.following.waiting > 0
            ends = self._over.wait(0 if behind else LOOKS_EVERY_SECONDS)
            if ends and last_look.seconds == LONGEST_SECONDS:
                last_look = Deadline(LAST_LOOK_SECONDS)
            looked = self._look()
            if looked and ends and self.following.waiting == 0:
                self.complete = True
                return

    def _look(self) -> bool:
        look = Deadline(LOOK_SECONDS)
        try:
            for torn in self.following.look(look):
                self._progress(f"TORN: {_told(torn)}")
        except LakeproofError as error:
            self.problems.append(error.message)
            return False
        except Exception as error:  # noqa: BLE001 - the top of a thread: its end would leave hashes unjudged in silence
            self.problems.append(f"{type(error).__name__}: {error}")
            return False
        finally:
            self.seconds += look.elapsed
        return True


def run(stack: Stack, options: Options, progress: Progress) -> Result:
    """Raises: InvalidInput for a name that is no component's; DeadlineExpired where one does not come back."""
    client = SupervisorClient(stack)
    for name in options.kills:
        client.row(name)
    wanted, over = options.hashes or HASHES, Deadline(options.seconds or LONGEST_SECONDS)
    rate = options.rates[0] if options.rates else CALLS_PER_SECOND
    first = Deadline(BACK_SECONDS).wait_for("a first published state", lambda: _newest(stack))
    judging = Judging(EveryHash(stack, first.hash), progress)
    following = judging.following
    # Two generators, so that the victims follow from the seed alone, and not from how long the hashes took.
    dice, pauses, kills = random.Random(options.seed), random.Random(options.seed), list[dict[str, Any]]()
    shoppers = start_shoppers(stack, rate, options.seed)
    ended = ""
    try:
        while following.judged < wanted and not over.expired:
            over.pause(pauses.uniform(*PAUSE_SECONDS))
            progress(
                f"{following.judged} of {wanted} hashes judged, {following.waiting} wait, "
                f"{len(following.torn)} torn, {len(kills)} kills"
            )
            if options.kills and not over.expired and is_due(following.judged, wanted, len(kills), options.rounds):
                kills.append(_kill(stack, client, victims(options.kills, dice), over.elapsed))
    except KeyboardInterrupt:  # hours of judging are worth a result, although somebody needs the machine
        ended = "interrupted: what was published until then was judged"
    except LakeproofError as error:
        ended = f"ended after a kill: {error.message}"
    finally:
        try:
            acknowledged = shoppers.stop().counts.acknowledged
        except LakeproofError as error:  # the judged hashes are worth a result without the shoppers' report
            acknowledged, ended = 0, ended or f"the shoppers did not report: {error.message}"
        judging.stop()
    return result_of(options, judging, kills, acknowledged, ended)


def is_due(judged: int, wanted: int, kills: int, rounds: int) -> bool:
    """Whether the next kill is due: always without `rounds`, else spread evenly over the hashes."""
    return not rounds or (kills < rounds and judged * rounds >= wanted * kills)


def victims(names: Sequence[str], dice: random.Random) -> list[str]:
    """One of the names, or two of them at once."""
    pair = len(set(names)) > 1 and dice.random() < SHARE_OF_PAIRS
    return dice.sample(sorted(set(names)), 2 if pair else 1)


def _kill(stack: Stack, client: SupervisorClient, names: list[str], at: float) -> dict[str, Any]:
    """kill -9 the components; wait until each is healthy again, and a new state was published after that."""
    deadline = Deadline(BACK_SECONDS)
    kill_and_await(client, names, deadline)
    healthy_after = deadline.elapsed
    seen = Deadline(BACK_SECONDS).wait_for("an answer of Nessie", lambda: _newest(stack))

    def published() -> bool | None:
        newest = _newest(stack)
        return True if newest is not None and newest.plain.checkpoint != seen.plain.checkpoint else None

    Deadline(BACK_SECONDS).wait_for("the next published state", published)
    return {
        "at_s": round(at),
        "killed": " + ".join(names),
        "healthy_after_s": round(healthy_after, 1),
        "published_after_s": round(deadline.elapsed, 1),
    }


def _newest(stack: Stack) -> PublishedCommit | None:
    try:
        return history.newest(stack)
    except CouldNotLook:
        return None


def result_of(
    options: Options, judging: Judging, kills: list[dict[str, Any]], acknowledged: int, ended: str = ""
) -> Result:
    """The result of a run. A torn hash fails it; a hash without a judgement and an early end leave it unknown.

    ended: why the run ended early.
    """
    following, problems = judging.following, judging.problems
    torn = [
        {
            "hash": one.commit.hash[:16],
            "checkpoint": _checkpoint(one),
            "broken": len({each.subject for each in one.broken}),
            "first": _told(one),
        }
        for one in following.torn
    ]
    not_looked = following.not_looked + following.waiting
    pairs = sum("+" in kill["killed"] for kill in kills)
    notes = [
        f"{following.judged} hashes judged, {len(torn)} torn; {len(kills)} kills, {pairs} of them pairs;"
        f" seed {options.seed}; {acknowledged} calls acknowledged",
        f"judging took {judging.seconds / max(1, following.judged):.2f} s a hash",
    ]
    if ended:
        notes.append(ended)
    if not_looked:
        notes.append(f"{not_looked} published hashes were not looked at: nothing is known of them")
    if following.first_read:
        notes.append(f"{following.first_read} more hashes were of tables that were being read for the first time")
    if problems:
        notes.append(f"{len(problems)} looks were repeated, the last since: {problems[-1]}")
    return Result(
        "whole-transactions",
        options,
        {"kills": kills, "torn hashes": torn},
        [Ratio("torn hashes of those judged", round(len(torn) / max(1, following.judged), 4), "0", not torn)],
        notes,
        failed=bool(torn),
        unknown=bool(not_looked or ended) or following.judged == 0 or not judging.complete,
    )


def _told(torn: Torn) -> str:
    shown = "; ".join(f"{each.subject}: {each.detail}" for each in torn.broken[:KEYS_SHOWN])
    return f"{torn.commit.hash[:16]}, checkpoint {_checkpoint(torn)}: {shown}"


def _checkpoint(torn: Torn) -> int:
    """The checkpoint of the job whose tables are torn."""
    return torn.commit.states[torn.broken[0].database].checkpoint


BENCHMARK = Benchmark(
    "whole-transactions",
    "torn hashes among all that are published under load, with --kill NAME… while components are killed by --seed",
    (
        *("order-service", "mysql", "kafka", "connect", "minio", "flink-jobmanager", "flink-taskmanager"),
        *("nessie", "publisher", "lag-exporter", "trino"),
    ),
    run,
)
