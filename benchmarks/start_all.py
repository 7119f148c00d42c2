"""start-all: as `start`, of everything that `up --all` starts: all six services and every store."""

from benchmarks.benchmark import Benchmark, Options, Progress, Result
from benchmarks.start import Aims, measure
from lakeproof.stack.components import all_components
from lakeproof.stack.installed import everything
from lakeproof.stack.stack import Stack

AIM_WARM_SECONDS = 110.0
AIM_GIB = 12.0


def run(stack: Stack, options: Options, progress: Progress) -> Result:
    """Raises: PortTaken, TerminalError naming what did not become healthy."""
    wanted, left_out = everything(all_components().values())
    result = measure("start-all", stack, wanted, Aims(AIM_WARM_SECONDS, AIM_GIB), options, progress)
    result.notes.extend(f"left out, not installed: {name}" for name in left_out)
    return result


BENCHMARK = Benchmark(
    "start-all", "the same of `up --all`, each service beside a comparable shop's 1.1 s and 102 MiB", (), run
)
