"""Runs tiers of tests one after another, and says what each took and which were not run.

`make test`, `make test-turns` and `make test-all` call it; `.ci/run` calls the first two. A tier that fails does not
stop those after it.
"""

import os
import subprocess
import sys
import time
from dataclasses import dataclass

from tests.commit import ROOT

RUNS = {
    "test": ("set-up", "lint", "fast", "java", "smoke", "pages"),
    "turns": ("engines-turn", "drills-turn", "browser"),
    "all": ("set-up", "lint", "fast", "java", "smoke", "engines", "drills", "browser"),
}


@dataclass(frozen=True)
class Tier:
    """One kind of tests.

    target: of the Makefile. minutes: about what it takes on two cores once all is installed.
    """

    name: str
    what: str
    target: str
    minutes: float
    part_of: str = ""


TIERS = (
    Tier("set-up", "what tests need beside what the demo needs", "setup-checkers", 0.2),
    Tier("lint", "ruff, mypy --strict, import rules", "lint", 1.5),
    Tier("fast", "tests without engines", "test-fast", 4),
    Tier("java", "the Flink operator's own tests", "test-java", 0.5),
    Tier("smoke", "the path on real engines, a kill -9, a fault repaired", "test-smoke", 3),
    Tier("pages", "five console pages in Chromium", "test-pages", 0.7, part_of="browser"),
    Tier("engines-turn", "engines: the path's, and a third of the shop's", "test-engines", 16, part_of="engines"),
    Tier("engines", "each component on real engines", "test-engines TURNS=", 26),
    Tier(
        "drills-turn",
        "a third of the incidents and of the runbook's make targets",
        "test-drills",
        11,
        part_of="drills",
    ),
    Tier("drills", "all thirteen incidents and nine make targets", "test-drills TURNS=", 31),
    Tier("browser", "every page of the console", "test-browser", 3),
    Tier("proof", "kills, wrong fixes, residue, the corruption hunt", "proof", 600),
)
BY_NAME = {tier.name: tier for tier in TIERS}


@dataclass(frozen=True)
class Ran:
    """A tier that was run."""

    tier: Tier
    passed: bool
    seconds: float

    @property
    def line(self) -> str:
        outcome = "passed" if self.passed else "FAILED"
        return f"{self.tier.name:13} {outcome}  {self.seconds / 60:5.1f} min  {self.tier.what}"


def run(tier: Tier) -> Ran:
    """Run one tier, with its output where ours goes."""
    began = time.monotonic()
    command = ["make", "--no-print-directory", *tier.target.split()]
    passed = subprocess.run(command, cwd=ROOT, env=_environment(), check=False).returncode == 0
    return Ran(tier, passed, time.monotonic() - began)


def left_out(names: tuple[str, ...]) -> list[Tier]:
    """Tiers that such a run does not run, and that are no part of one that it runs or leaves out."""
    return [tier for tier in TIERS if tier.name not in names and not tier.part_of and tier.name != "set-up"]


def summary(ran: list[Ran], names: tuple[str, ...]) -> list[str]:
    """What is printed at the end."""
    lines = [one.line for one in ran]
    lines.append(f"{'in all':21} {sum(one.seconds for one in ran) / 60:5.1f} min")
    lines += [f"not begun: {BY_NAME[name].name}" for name in names[len(ran) :]]
    lines += [f"not run: {tier.what}; some {tier.minutes:g} min: make {tier.target}" for tier in left_out(names)]
    return lines


def _environment() -> dict[str, str]:
    """Without what the make around this one hands on, such as its -n or -j."""
    return {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}


def main(run_name: str) -> int:
    """Exit 0 where every tier passed."""
    names = RUNS[run_name]
    ran: list[Ran] = []
    try:
        for number, name in enumerate(names, start=1):
            tier = BY_NAME[name]
            print(f"== {number}/{len(names)} {name}: {tier.what}; some {tier.minutes:g} min", flush=True)
            ran.append(run(tier))
            print(f"== {ran[-1].line}", flush=True)
    finally:
        print("", *summary(ran, names), sep="\n", flush=True)
    return 0 if all(one.passed for one in ran) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
