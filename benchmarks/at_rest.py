"""at-rest: what the running stack costs while nobody buys: CPU share of one core and memory, by component and in all.

It measures whatever is up, so start that first (`lakeproof up`, or `up --all`). The JVMs of a stack that has just
come up still compile, so a warm-up passes before the count begins. The benchmark's own process is not counted.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.benchmark import Benchmark, Options, Progress, Ratio, Result
from benchmarks.usage import SUPERVISOR, Usage
from lakeproof.deadline import Deadline
from lakeproof.stack.stack import Stack

SECONDS = 60.0
WARM_SECONDS = 30.0
TOLD_SECONDS = 15.0
# The aim depends on what runs: where Cassandra's first node runs, it is the whole shop, else the path alone.
WHOLE_SHOP = "cassandra-seed"
AIM_PATH_PERCENT, AIM_WHOLE_PERCENT = 40.0, 70.0
# The component that serves console and desk, and its limits (decision 0026).
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
    """The desk's ratios to its two limits; none where no desk runs."""
    row = next((each for each in rows if each["component"] == DESK), None)
    if row is None:
        return []
    cpu = f"console and desk: CPU to {AIM_DESK_PERCENT:g} % of a core"
    return [
        Ratio.at_most(cpu, row["cpu_percent"], AIM_DESK_PERCENT),
        Ratio.at_most(f"console and desk: RSS to {AIM_DESK_MIB:g} MiB", row["rss_mib"], AIM_DESK_MIB),
    ]


def ledger_bytes(stack: Stack) -> int:
    """The size of the shoppers' ledger, which grows with every call."""
    return sum(path.stat().st_size for path in stack.ledger_dir.rglob("*") if path.is_file())


def _wait(what: str, seconds: float, progress: Progress) -> None:
    deadline = Deadline(seconds)
    while not deadline.expired:
        progress(f"{what}: {deadline.left:.0f} s left")
        deadline.pause(TOLD_SECONDS)


BENCHMARK = Benchmark(
    "at-rest", "CPU and memory of the running stack by component while nobody buys, after 30 s of warming", (), run
)
