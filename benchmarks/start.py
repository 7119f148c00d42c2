"""start: seconds from nothing to healthy, cold and warm, by component; then memory and CPU at rest.

The benchmark starts and ends a stack of its own (fresh state folder, ports beside the given ones), so it touches no
data; the machine should be otherwise idle. Installed artifacts and page cache stay: "cold" means no data yet.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.benchmark import Benchmark, Options, Progress, Ratio, Result
from benchmarks.own_stack import own_stack
from benchmarks.usage import used_during
from lakeproof.processes.client import SupervisorClient
from lakeproof.stack.stack import Stack

REST_SECONDS = 20.0
AIM_WARM_SECONDS = 45.0
AIM_GIB = 5.0
# What each service of a comparable public shop takes (FastAPI, one worker each) on this kind of machine.
PEER_SECONDS, PEER_MIB = 1.1, 102


def run(stack: Stack, options: Options, progress: Progress) -> Result:
    """Raises: PortTaken, TerminalError naming what did not become healthy."""
    return measure("start", stack, None, Aims(AIM_WARM_SECONDS, AIM_GIB), options, progress)


@dataclass(frozen=True)
class Aims:
    """warm_seconds: the most from nothing to healthy with data there. gib: the most memory in all."""

    warm_seconds: float
    gib: float


def measure(
    name: str, stack: Stack, wanted: Sequence[str] | None, aims: Aims, options: Options, progress: Progress
) -> Result:
    """Start the `wanted` components (None: as a plain `up`) cold, then warm. Raises: PortTaken, TerminalError."""
    rest = options.seconds or REST_SECONDS
    starts: dict[str, float] = {}
    ready: dict[str, dict[str, float | None]] = {}
    with own_stack(stack) as own:
        client = SupervisorClient(own)
        for how in ("cold", "warm"):
            progress(f"{how} start")
            started = time.monotonic()
            client.up(wanted)
            starts[how] = time.monotonic() - started
            ready[how] = {row.name: row.ready_seconds for row in client.ps()}
            progress(f"{how} start: healthy after {starts[how]:.1f} s")
            used, _, _ = used_during(own, rest)
            client.down()
    gib = used[-1]["rss_mib"] / 1024
    by_component: list[dict[str, Any]] = [
        {
            **row,
            **{
                f"{how}_ready_s": round(seconds, 1) if (seconds := ready[how].get(row["component"])) else None
                for how in ready
            },
        }
        for row in used
    ]
    return Result(
        name,
        options,
        {
            "seconds until everything is healthy": [{f"{how}_s": round(took, 1) for how, took in starts.items()}],
            f"by component, {rest:g} s after the warm start (CPU in percent of one core)": by_component,
        },
        [
            Ratio("warm to cold seconds", round(starts["warm"] / starts["cold"], 2)),
            Ratio.at_most(f"warm seconds to {aims.warm_seconds:g} s", starts["warm"], aims.warm_seconds),
            Ratio.at_most(f"memory to {aims.gib:g} GiB", gib, aims.gib),
            *to_peer(by_component),
        ],
    )


def to_peer(rows: Iterable[Mapping[str, Any]]) -> list[Ratio]:
    """Ratios of each service of the shop to a service of the comparable public shop, after the warm start."""
    found = []
    for row in rows:
        if row["component"].endswith("-service"):
            name, seconds = row["component"], row["warm_ready_s"]
            if seconds is not None:
                found.append(
                    Ratio(f"{name}: seconds to healthy to {PEER_SECONDS} s", round(seconds / PEER_SECONDS, 2))
                )
            found.append(Ratio(f"{name}: memory to {PEER_MIB} MiB", round(row["rss_mib"] / PEER_MIB, 2)))
    return found


BENCHMARK = Benchmark("start", "cold and warm seconds to healthy, memory and CPU by process", (), run)
