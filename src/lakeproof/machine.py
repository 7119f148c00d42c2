"""The machine that a number was measured on, and how busy it was with other things."""

import os
import platform
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import psutil


@dataclass(frozen=True)
class Machine:
    """A machine, and the code that ran on it.

    load_before: the load average of the last minute, taken before the measurement; near 0 on a quiet machine.
    """

    cpu: str
    cores: int
    memory_gib: float
    system: str
    load_before: float
    commit: str


def look_at_machine() -> Machine:
    """This machine as it is now, with the commit of the code."""
    return Machine(
        cpu=_cpu_name(),
        cores=len(os.sched_getaffinity(0)),
        memory_gib=round(psutil.virtual_memory().total / 2**30, 1),
        system=f"{platform.system()} {platform.release()}",
        load_before=round(os.getloadavg()[0], 1),
        commit=commit_of_code(),
    )


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


@cache
def commit_of_code() -> str:
    """The commit of this code, with "+" where files differ from it; "unknown" outside of a clone.

    Asked once per process: a commit made while the process runs is not the code that it runs.
    """
    try:
        done = subprocess.run(
            ["git", "describe", "--always", "--dirty=+", "--exclude=*"],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            timeout=5,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"
    return done.stdout.strip() or "unknown"
