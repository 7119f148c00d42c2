"""beside-flink-cdc: our path in turns with its nearest peer, Flink's MySQL CDC source straight into Paimon tables.

Both sides get a fresh stack of their own, the same MariaDB, object store, Flink, heap, slots, table options,
checkpoint interval (at rest ours is longer) and load by SQL, and are read by the same reader. The differences: our
side has Kafka, Connect, the aligner of transactions, a heartbeat table, an audit and one Nessie commit for each
published state. The peer has none of these, and its events table has a key, since a table without a key takes no
changelog. The peer's jars are fetched at the first run (Connector/J is GPL-2.0, for this benchmark alone). A side
takes about seven minutes; --only ours or --only peer plays one side.
"""

import statistics
from typing import Any

from benchmarks.benchmark import Benchmark, Options, Progress, Ratio, Result
from benchmarks.beside_flink_cdc.judging import Seen
from benchmarks.beside_flink_cdc.peer_job import fetch
from benchmarks.beside_flink_cdc.sides import SIDES, Side
from benchmarks.beside_flink_cdc.turn import DRAIN_SECONDS, take
from benchmarks.own_stack import own_stack
from lakeproof.errors import InvalidInput
from lakeproof.lake.sources.source import OLTP
from lakeproof.processes.client import SupervisorClient
from lakeproof.stack.stack import Stack

RATES = (50.0, 200.0)
SECONDS = 60.0

type Tables = dict[str, list[dict[str, Any]]]

FRESH = "seconds from commit until the order is seen, rows and CPU (percent of one core, everything but the shoppers)"
LOOKS = "looks that show a part of a transaction"
KILL = "kill -9 of the TaskManager under load"
DATA = "rows by key after everything, kill included"
REST = "at rest"


def run(stack: Stack, options: Options, progress: Progress) -> Result:
    """Raises: TerminalError where a side does not start; DeadlineExpired where no rows come."""
    chosen = [side for side in SIDES if not options.only or side.name in options.only]
    if not chosen:
        raise InvalidInput("no side of that name", next_action=f"--only {' or '.join(side.name for side in SIDES)}")
    fetch(progress)
    tables: Tables = {title: [] for title in (LOOKS, FRESH, KILL, DATA, REST)}
    for number in range(1, (options.rounds or 1) + 1):
        for side in chosen:
            progress(f"turn {number} of {options.rounds or 1}: {side.name}")
            with own_stack(stack) as own:
                for title, rows in _turn(side, own, options, progress).items():
                    tables.setdefault(title, []).extend(rows)
    return result_of(options, tables)


def _turn(side: Side, stack: Stack, options: Options, progress: Progress) -> Tables:
    windows, rest, drained = take(side, stack, options.rates or RATES, options.seconds or SECONDS, progress)
    progress(f"{side.name}: reading what was to be seen")
    client = SupervisorClient(stack)
    if side.name == "ours":
        client.stop("publisher")
    client.up(["trino"])
    seen = Seen(side, stack)
    *loads, kill = windows
    tables: Tables = {FRESH: [seen.freshness(window) for window in loads], KILL: [seen.pause(kill)]}
    tables[LOOKS] = []
    for window in windows:
        # In the window with the kill, look only from the kill on: before the kill it is like the others.
        tables[LOOKS] += seen.looks(window, window.killed_at or window.begin)
        progress(f"{side.name}: {window.what} judged")
    tables[DATA] = [{**row, "drained": drained} for row in seen.data()]
    lake = stack.settings.lake
    # Our job makes fewer checkpoints while no rows come (lake/job/pace.py).
    every = OLTP.longest_pause_seconds(stack) if side.name == "ours" else lake.checkpoint_seconds
    told = {"side": side.name, "checkpoint_every_s": every}
    tables[REST] = [told | row for row in rest if row["component"] == "all"]
    for window in loads:
        tables[f"{side.name}: by component at {window.what} (CPU in percent of one core)"] = window.usage
    tables[f"{side.name}: by component at rest (CPU in percent of one core)"] = rest
    return tables


def result_of(options: Options, tables: Tables) -> Result:
    """The result of the turns. It fails where our side showed a part of a transaction at a hash, or has a wrong row.

    It is unknown where our side published no hash to look at. Rows that were compared while others still came
    (drained: False) are no wrong ones, and leave it unknown too.
    """
    looked = _sum(tables[LOOKS], "looks", side="ours", a_look_takes="published hash")
    torn = _sum(tables[LOOKS], "torn", side="ours", a_look_takes="published hash")
    kinds = ("lost", "duplicated", "stale", "phantom")
    wrong = sum(_sum(tables[DATA], what, side="ours", drained=True) for what in kinds)
    ratios = []
    if looked:
        ratios.append(Ratio("ours: torn looks by published hash", torn, "0", torn == 0))
    for way in ("newest of each table", "one checkpoint in all tables"):
        if looks := _sum(tables[LOOKS], "looks", side="peer", a_look_takes=way):
            share = _sum(tables[LOOKS], "torn", side="peer", a_look_takes=way) / looks
            ratios.append(Ratio(f"peer: torn looks of all, by {way}", round(share, 4)))
    for rate in dict.fromkeys(row["asked_per_s"] for row in tables[FRESH]):
        of_rate = [row for row in tables[FRESH] if row["asked_per_s"] == rate]
        told = f"commit → Paimon p99 at {rate:g} orders/s, ours to peer"
        ratios += _ours_to_peer(told, of_rate, "paimon_p99_s")
    ratios += _ours_to_peer("seconds without rows after the kill, ours to peer", tables[KILL], "no_rows_for_s")
    notes = [
        "ours has more: Kafka, Connect, the aligner, a heartbeat table, an audit, a Nessie commit per state",
        "refused: calls, the warming included; on a busy machine fewer orders are made than asked for",
    ]
    late = sorted({row["side"] for row in tables[DATA] if not row["drained"]})
    notes += [f"{side}: rows still came {DRAIN_SECONDS:g} s after the load, nothing is known by key" for side in late]
    unknown = bool(late) or (not looked and any(row["side"] == "ours" for row in tables[LOOKS]))
    return Result("beside-flink-cdc", options, tables, ratios, notes, failed=bool(torn or wrong), unknown=unknown)


def _ours_to_peer(what: str, rows: list[dict[str, Any]], column: str) -> list[Ratio]:
    """The ratio of our median over all turns to the peer's; none where a side has no figure."""
    ours, peer = ([row[column] for row in rows if row["side"] == side and row[column]] for side in ("ours", "peer"))
    return [Ratio(what, round(statistics.median(ours) / statistics.median(peer), 2))] if ours and peer else []


def _sum(rows: list[dict[str, Any]], what: str, **where: str | bool) -> int:
    return sum(row[what] for row in rows if all(row[key] == value for key, value in where.items()))


BENCHMARK = Benchmark(
    "beside-flink-cdc",
    "ours and Flink CDC into Paimon, in turns: torn looks, freshness, CPU, kill -9, rows by key; stacks of its own",
    (),
    run,
)
