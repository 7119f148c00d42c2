"""diagnose: how long the command `lakeproof diagnose` takes on the running stack, as a person waits for it.

In turns with `lakeproof ps`, the quickest command that asks the stack: both pay for Python, imports and settings.
"""

import json
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.at_rest import WHOLE_SHOP
from benchmarks.benchmark import Benchmark, Options, Progress, Ratio, Result
from lakeproof.errors import TerminalError
from lakeproof.processes.client import SupervisorClient
from lakeproof.stack.stack import Stack
from lakeproof_shop.customers.shoppers.report import percentiles_ms

RUNS = 10
LONGEST_SECONDS = 120.0
AIM_PATH_SECONDS, AIM_WHOLE_SECONDS = 3.0, 5.0
# The exit codes of a diagnosis that was made: 0 for healthy or explained, 3 for unexplained.
LOOKED = (0, 3)


def run(stack: Stack, options: Options, progress: Progress) -> Result:
    """Raises: CouldNotLook where nothing is up, TerminalError with what a failed command said."""
    names = {row.name for row in SupervisorClient(stack).ps() if row.pid is not None}
    what, aim = ("whole shop", AIM_WHOLE_SECONDS) if WHOLE_SHOP in names else ("path", AIM_PATH_SECONDS)
    _run("diagnose")  # not counted: only a first run pays for Python's compiled files and the page cache
    seconds: dict[str, list[float]] = {"diagnose": [], "ps": []}
    verdicts: set[str] = set()
    for number in range(1, (options.rounds or RUNS) + 1):
        started = time.monotonic()
        verdicts.add(told(_run("diagnose")))
        ended = time.monotonic()
        _run("ps")
        seconds["diagnose"].append(ended - started)
        seconds["ps"].append(time.monotonic() - ended)
        progress(f"{number}: diagnose {seconds['diagnose'][-1]:.1f} s, ps {seconds['ps'][-1]:.1f} s")
    median = statistics.median(seconds["diagnose"])
    return Result(
        "diagnose",
        options,
        {"seconds": [{"command": way, **spread(found)} for way, found in seconds.items()]},
        [
            Ratio.at_most(f"{what}: median to {aim:g} s", median, aim),
            Ratio("ps to diagnose", round(statistics.median(seconds["ps"]) / median, 2)),
        ],
        [f"{len(names)} components run; told: {'; '.join(sorted(verdicts))}"],
    )


def _run(name: str) -> Any:
    """The JSON that `lakeproof NAME --json` prints. Raises: TerminalError with its stderr where it could not look."""
    command = [str(Path(sys.executable).with_name("lakeproof")), name, "--json"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=LONGEST_SECONDS, check=False)
    except subprocess.TimeoutExpired as error:
        raise TerminalError(
            f"no end within {LONGEST_SECONDS:g} s", where=f"lakeproof {name}", next_action="run it"
        ) from error
    if done.returncode not in LOOKED:
        raise TerminalError(
            f"exit {done.returncode}: {done.stderr.strip()[-500:]}", where=f"lakeproof {name}", next_action="run it"
        )
    return json.loads(done.stdout)


def told(diagnosis: Any) -> str:
    """A diagnosis in a few words."""
    causes = [cause["cause"] for cause in diagnosis["causes"]]
    return "healthy" if diagnosis["healthy"] else f"causes {causes}, {len(diagnosis['unknown'])} unexplained"


def spread(seconds: list[float]) -> dict[str, Any]:
    """Number of runs, median, p95 and maximum; with fewer than twenty runs the p95 is the maximum."""
    found = percentiles_ms(seconds)
    return {
        "runs": len(seconds),
        "p50_s": round(statistics.median(seconds), 2),
        **{f"{name}_s": round(found[name] / 1000, 2) for name in ("p95", "max")},
    }


BENCHMARK = Benchmark("diagnose", "seconds of `lakeproof diagnose` on the running stack: median, p95", (), run)
