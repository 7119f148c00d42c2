"""A benchmark's own processes end with it."""

import subprocess
import sys

import psutil

from benchmarks import CLONE
from lakeproof.deadline import Deadline

BENCH = """
from benchmarks.service_process import process_of
with process_of("timeline_sources") as (url, process):
    print(process.pid, flush=True)
    input()
"""


def test_what_a_killed_benchmark_started_is_killed_too() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", BENCH], cwd=CLONE, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as bench:
        assert bench.stdout is not None
        service = psutil.Process(int(bench.stdout.readline()))
        bench.kill()
        try:
            Deadline(10).wait_for("its end", lambda: None if service.is_running() else True, every=0.05)
        finally:
            if service.is_running():
                service.kill()
