"""start: seconds from nothing to healthy, cold and warm, by component; then memory and CPU at rest.

Brings a stack of its own (fresh state folder, ports beside the given ones) and ends it, so it touches no data; the
machine should be otherwise idle. Installed artifacts and page cache are as they are: "cold" means no data yet.
"""

import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

from lakeproof.bench.benchmark import Benchmark, Options, Progress, Ratio, Result
from lakeproof.bench.usage import Usage
from lakeproof.deadline import Deadline
from lakeproof.processes.client import SupervisorClient
from lakeproof.stack.stack import Stack

REST_SECONDS = 20.0
PORTS_BESIDE = 1_530  # no port + this is another port, and all stay below those of outgoing connections
AIM_WARM_SECONDS = 45.0
AIM_GIB = 5.0


def run(stack: Stack, options: Options, progress: Progress) -> Result:
    """Raises: PortTaken, TerminalError naming what did not become healthy."""
    rest = options.seconds or REST_SECONDS
    state_dir = Path(tempfile.mkdtemp(prefix="lakeproof-bench-"))
    state_dir.chmod(0o755)
    own = Stack(
        stack.settings.model_copy(
            update={
                "name": f"bench-{os.getpid()}",
                "state_dir": state_dir,
                "port_shift": stack.settings.port_shift + PORTS_BESIDE,
            }
        )
    )
    client = SupervisorClient(own)
    starts: dict[str, float] = {}
    ready: dict[str, dict[str, float | None]] = {}
    try:
        for how in ("cold", "warm"):
            progress(f"{how} start")
            started = time.monotonic()
            client.up()
            starts[how] = time.monotonic() - started
            ready[how] = {row.name: row.ready_seconds for row in client.ps()}
            progress(f"{how} start: healthy after {starts[how]:.1f} s")
            usage = Usage(own)
            deadline = Deadline(rest)
            while not deadline.expired:
                deadline.pause(1.0)
            used = usage.table()
            client.down()
    finally:
        client.down()
        shutil.rmtree(state_dir, ignore_errors=True)
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
        "start",
        options,
        {
            "seconds until everything is healthy": [{f"{how}_s": round(took, 1) for how, took in starts.items()}],
            f"by component, {rest:g} s after the warm start (percent of one core)": by_component,
        },
        [
            Ratio("warm to cold seconds", round(starts["warm"] / starts["cold"], 2)),
            Ratio(
                "warm seconds to 45 s",
                round(starts["warm"] / AIM_WARM_SECONDS, 2),
                "at most 1",
                starts["warm"] <= AIM_WARM_SECONDS,
            ),
            Ratio("memory to 5 GiB", round(gib / AIM_GIB, 2), "at most 1", gib <= AIM_GIB),
        ],
    )


BENCHMARK = Benchmark("start", "cold and warm seconds to healthy, memory and CPU by process", (), run)
