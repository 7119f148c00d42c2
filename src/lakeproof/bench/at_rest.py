"""at-rest: what the running stack costs while nobody buys: CPU share of one core and memory, by component and in all.

Looks at whatever is up, so start first what is to be measured (`lakeproof up`, or `up --all`). A stack that has just
come up still compiles, therefore some seconds pass before the count begins. The bench itself does not count.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from lakeproof.bench.benchmark import Benchmark, Options, Progress, Ratio, Result
from lakeproof.bench.usage import SUPERVISOR, Usage
from lakeproof.deadline import Deadline
from lakeproof.stack.stack import Stack

SECONDS = 60.0
WARM_SECONDS = 30.0
TOLD_SECONDS = 15.0
# Which aim is meant is told by who runs: Cassandra's first node is part of the whole shop only.
WHOLE_SHOP = "cassandra-seed"
AIM_PATH_PERCENT, AIM_WHOLE_PERCENT = 40.0, 70.0
# The process of the console and the desk, and what it may take (decision 0026).
DESK = "desk"
AIM_DESK_PERCENT, AIM_DESK_MIB = 3.0, 150.0


def run(stack: Stack, options: Options, progress: Progress) -> Result:
    """Raises: CouldNotLook where no supervisor runs."""
    Usage(stack)  # fails at once where nothing runs, not after the warm-up
    seconds = options.seconds or SECONDS
    _wait("warming up", WARM_SECONDS, progress)
    before, usage = ledger_bytes(stack), Usage(stack)
    _wait("at rest", seconds, progress)
    rows = usage.table()
    bought = ledger_bytes(stack) != before
    names = {row["component"] for row in rows} - {SUPERVISOR, "all"}
    what, aim = ("whole shop", AIM_WHOLE_PERCENT) if WHOLE_SHOP in names else ("path", AIM_PATH_PERCENT)
    percent = rows[-1]["cpu_percent"]
    notes = [f"{len(names)} components and the supervisor, {rows[-1]['rss_mib'] / 1024:.1f} GiB"]
    if bought:
        notes.append("NOT at rest: the ledger has grown meanwhile, so somebody bought")
    return Result(
        "at-rest",
        options,
        {f"by component over {seconds:g} s (CPU in percent of one core)": rows},
        [Ratio.at_most(f"{what}: CPU to {aim:g} % of a core", percent, aim), *_of_desk(rows)],
        notes,
        unknown=bought,
    )


def _of_desk(rows: Sequence[Mapping[str, Any]]) -> list[Ratio]:
    """Its two aims; none where no desk runs."""
    row = next((each for each in rows if each["component"] == DESK), None)
    if row is None:
        return []
    cpu = f"console and desk: CPU to {AIM_DESK_PERCENT:g} % of a core"
    return [
        Ratio.at_most(cpu, row["cpu_percent"], AIM_DESK_PERCENT),
        Ratio.at_most(f"console and desk: RSS to {AIM_DESK_MIB:g} MiB", row["rss_mib"], AIM_DESK_MIB),
    ]


def ledger_bytes(stack: Stack) -> int:
    """How much the shoppers have written; it grows with every call."""
    return sum(path.stat().st_size for path in stack.ledger_dir.rglob("*") if path.is_file())


def _wait(what: str, seconds: float, progress: Progress) -> None:
    deadline = Deadline(seconds)
    while not deadline.expired:
        progress(f"{what}: {deadline.left:.0f} s left")
        deadline.pause(TOLD_SECONDS)


BENCHMARK = Benchmark(
    "at-rest", "CPU and memory of the running stack by component while nobody buys, after 30 s of warming", (), run
)
