"""Two clones of this repository, each with its set-up done, measured in turns on one machine.

    .venv/bin/python -m tests.before_and_after OLD NEW --rounds 3 --out turns.jsonl
    .venv/bin/python -m tests.before_and_after --table turns.jsonl

Only what both clones know is asked: their commands, /proc/stat and Nessie. So CPU is that of the whole machine, and
nothing else may run on it. Each turn has a new state folder, which is deleted at its end. A turn that breaks off is
told and written down, and the next one begins.
"""

import argparse
import itertools
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

SIDES, PARTS = ("before", "after"), ("path", "shop", "shop-once")
COMMAND_SECONDS = 600
WARM_SECONDS, REST_SECONDS = 15.0, 30.0
DIAGNOSES = 3
KILLED = "flink-taskmanager"
BEFORE_KILL_SECONDS, AFTER_KILL_SECONDS = 10.0, 50.0
LOOK_SECONDS = 0.1
# /proc/stat: user, nice, system, idle, iowait, irq, softirq, steal.
IDLE, IOWAIT, STEAL = 3, 4, 7


def busy_seconds(stat: str) -> float:
    """Seconds in which a processor worked, of all processors since boot, by the first line of /proc/stat."""
    ticks = [int(word) for word in stat.split("\n", 1)[0].split()[1:9]]
    idle = ticks[IDLE] + ticks[IOWAIT] + ticks[STEAL]
    return (sum(ticks) - idle) / os.sysconf("SC_CLK_TCK")


def longest_gap(moments: Sequence[float], begin: float, end: float) -> float:
    """The longest time without one of these moments of which a part lies between begin and end."""
    bounds = [*moments, end]
    return max(
        (later - earlier for earlier, later in itertools.pairwise(bounds) if later > begin), default=end - begin
    )


class Clone:
    """One side: its folder, and a stack of its own while a turn lasts."""

    def __init__(self, side: str, folder: Path) -> None:
        self.side, self.folder = side, folder.resolve()
        self.commit = self._git("rev-parse", "--short=8", "HEAD")
        self.state = Path()

    def _git(self, *words: str) -> str:
        done = subprocess.run(["git", "-C", self.folder, *words], capture_output=True, text=True, check=True)
        return done.stdout.strip()

    def _environment(self) -> dict[str, str]:
        own = {"LAKEPROOF_NAME": "turns", "LAKEPROOF_STATE_DIR": str(self.state), "LAKEPROOF_YES": "1"}
        return os.environ | own | {"LAKEPROOF_PORT_SHIFT": "8150"}

    def start(self, *words: str) -> "subprocess.Popen[str]":
        """A command of this side that goes on."""
        return subprocess.Popen(
            [self.folder / ".venv/bin/lakeproof", *words],
            cwd=self.folder,
            env=self._environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )

    def run(self, *words: str, fine: tuple[int, ...] = (0,)) -> tuple[str, float]:
        """What a command prints, and its seconds. Raises: RuntimeError where it ends otherwise than `fine`."""
        began = time.monotonic()
        child = self.start(*words)
        try:
            printed = child.communicate(timeout=COMMAND_SECONDS)[0]
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGTERM)
            raise RuntimeError(f"{self.side}: {' '.join(words)} did not end in {COMMAND_SECONDS} s") from None
        if child.returncode not in fine:
            raise RuntimeError(f"{self.side}: {' '.join(words)} ended with {child.returncode}: {printed[-300:]}")
        return printed, time.monotonic() - began

    def component(self, name: str) -> dict[str, Any]:
        """Its row of `ps --json`."""
        rows: list[dict[str, Any]] = json.loads(self.run("ps", "--json", fine=(0, 1))[0])
        return next(row for row in rows if row["name"] == name)


def at_rest() -> float:
    """Percent of one core that the whole machine works, after a while of warming."""
    time.sleep(WARM_SECONDS)
    before, began = busy_seconds(Path("/proc/stat").read_text()), time.monotonic()
    time.sleep(REST_SECONDS)
    used = busy_seconds(Path("/proc/stat").read_text()) - before
    return 100 * used / (time.monotonic() - began)


def pause_after_a_kill(clone: Clone) -> float:
    """The longest time in which `main` did not move, around a kill -9 under 20 calls a second."""
    address = f"http://{clone.component('nessie')['endpoints']['http']}/api/v2/trees/main"
    seconds = BEFORE_KILL_SECONDS + AFTER_KILL_SECONDS
    shoppers = clone.start("traffic", "--rate", "20", "--seconds", str(seconds), "--json")
    began = time.monotonic()
    known, moments, killed = "", [], 0.0
    while (now := time.monotonic()) < began + seconds:
        if not killed and now >= began + BEFORE_KILL_SECONDS:
            os.kill(int(clone.component(KILLED)["pid"]), signal.SIGKILL)
            killed = time.monotonic()
        with urllib.request.urlopen(address, timeout=5) as answer:
            newest = json.load(answer)["reference"]["hash"]
        if newest != known:
            known = newest
            moments.append(time.monotonic())
        time.sleep(LOOK_SECONDS)
    shoppers.communicate(timeout=COMMAND_SECONDS)
    return longest_gap(moments, killed, began + seconds)


def path(clone: Clone, tell: Callable[[str, float], None]) -> None:
    """The path of an order, with what watches it."""
    tell("up, s", clone.run("up")[1])
    tell("at rest: path, % of a core", at_rest())
    rates = ("--rate", "50", "--rate", "200")
    found = json.loads(clone.run("bench", "freshness", "--seconds", "20", *rates, "--json")[0])
    for row in found["tables"]["seconds from commit, by SQL"]:
        rate = f"{row['asked_per_s']:g} orders/s"
        tell(f"commit to main p99 at {rate}, s", row["main_p99_s"])
        tell(f"commit to Trino p99 at {rate}, s", row["trino_p99_s"])
        tell(f"orders/s made of {rate}", row["orders_per_s"])
        tell(f"refused at {rate}", row["refused"])
    tell("kill -9 of the TaskManager: no publish for, s", pause_after_a_kill(clone))
    for _ in range(DIAGNOSES):
        tell("diagnose, path, s", clone.run("diagnose", "--json", fine=(0, 3))[1])


def shop_once(clone: Clone, tell: Callable[[str, float], None]) -> None:
    """The whole shop, started once."""
    tell("up --all, no data, s", clone.run("up", "--all")[1])
    tell("at rest: whole shop, % of a core", at_rest())
    said = json.loads(
        clone.run("traffic", "--rate", "8", "--purchases", "2", "--seconds", "60", "--json", fine=(0, 1))[0]
    )
    tell("a purchase p50, ms", said["purchase_ms"]["p50"])
    tell("a purchase p95, ms", said["purchase_ms"]["p95"])
    tell("refused of 600 calls", said["refused"])
    printed, seconds = clone.run("check", "--json", fine=(0, 1, 3))
    tell("check, s", seconds)
    tell("check: passed", float(json.loads(printed)["outcome"] == "passed"))
    for _ in range(DIAGNOSES):
        tell("diagnose, whole shop, s", clone.run("diagnose", "--json", fine=(0, 3))[1])


def shop(clone: Clone, tell: Callable[[str, float], None]) -> None:
    """The whole shop, started a second time on its data."""
    shop_once(clone, tell)
    clone.run("down")
    tell("up --all, with data, s", clone.run("up", "--all")[1])


def turn(clone: Clone, part: str, number: int, out: Path) -> None:
    """One side's turn: its rows go into the file at once."""

    def write(row: dict[str, Any]) -> None:
        head = {"round": number, "side": clone.side, "commit": clone.commit, "part": part}
        with out.open("a", encoding="utf-8") as file:
            file.write(json.dumps(head | row) + "\n")
        print(f"{time.strftime('%T')} round {number} {clone.side} {clone.commit} {row}", flush=True)

    clone.state = Path(tempfile.mkdtemp(prefix="turns-"))
    try:
        measure = {"path": path, "shop": shop, "shop-once": shop_once}[part]
        measure(clone, lambda what, value: write({"what": what, "value": round(value, 2)}))
    except (RuntimeError, ValueError, LookupError, OSError) as error:
        write({"broke_off": f"{type(error).__name__}: {error}"})
    finally:
        clone.run("down", fine=(0, 1))
        shutil.rmtree(clone.state)


def table(rows: Iterable[dict[str, Any]]) -> list[str]:
    """Markdown: of each thing the median, the least and the most of either side, and after to before."""
    values: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    commits = {}
    for row in rows:
        commits[row["side"]] = row["commit"]
        if "what" in row:
            values[row["what"]][row["side"]].append(row["value"])
    lines = [f"| | before, {commits.get('before')} | after, {commits.get('after')} | after to before |"]
    lines.append("| --- | --- | --- | --- |")
    for what, sides in values.items():
        middle = {side: statistics.median(found) for side, found in sides.items()}
        ratio = f"{middle['after'] / middle['before']:.2f}" if len(middle) == 2 and middle["before"] else ""
        cells = [_spread(sides.get(side, ())) for side in SIDES]
        lines.append(f"| {what} | {' | '.join(cells)} | {ratio} |")
    return lines


def _spread(found: Sequence[float]) -> str:
    if not found:
        return "-"
    return f"{statistics.median(found):g} ({', '.join(f'{value:g}' for value in found)})"


def main() -> int:
    """Measure, or print the table of what was measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clones", nargs="*", type=Path, metavar="CLONE", help="the older one, the newer one")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--part", action="append", choices=PARTS, help="default: path and shop")
    parser.add_argument("--out", type=Path, default=Path("turns.jsonl"))
    parser.add_argument("--table", type=Path, help="print the table of this file, and measure nothing")
    given = parser.parse_args()
    if given.table:
        rows = [json.loads(line) for line in given.table.read_text(encoding="utf-8").splitlines()]
        print("\n".join(table(rows)))
        return 0
    if len(given.clones) != 2:
        parser.error("two clones are wanted")
    sides = [Clone(side, folder) for side, folder in zip(SIDES, given.clones, strict=True)]
    for part in given.part or ("path", "shop"):
        for number in range(1, given.rounds + 1):
            for clone in sides if number % 2 else reversed(sides):
                turn(clone, part, number, given.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
