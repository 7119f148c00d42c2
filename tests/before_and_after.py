"""Two clones of this repository, each with its set-up done, measured in turns on one machine.

    .venv/bin/python -m tests.before_and_after OLD NEW --rounds 3 --out turns.jsonl
    .venv/bin/python -m tests.before_and_after --table turns.jsonl

Only what both clones know is asked: their commands, /proc/stat and Nessie. So CPU is that of the whole machine, and
nothing else may run on it. `bench freshness` is each clone's own: it measures otherwise where its shoppers changed.
Each turn has a new state folder, which is deleted at its end. A turn that breaks off is told and written down, and
the next one begins; where `down` fails, the run ends and the folder stays.
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
from typing import Any, NamedTuple

SIDES, PARTS = ("before", "after"), ("path", "shop", "shop-once", "demo")
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


class Done(NamedTuple):
    """A command that ended: what it printed, how long it took, its exit code."""

    printed: str
    seconds: float
    code: int


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
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, *words: str, fine: tuple[int, ...] = (0,)) -> Done:
        """Raises: RuntimeError where it ends with another code than these."""
        began = time.monotonic()
        child = self.start(*words)
        try:
            printed, said = child.communicate(timeout=COMMAND_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGTERM)
            raise RuntimeError(f"{self.side}: {' '.join(words)} did not end in {COMMAND_SECONDS} s") from None
        if child.returncode not in fine:
            raise RuntimeError(f"{self.side}: {' '.join(words)} ended with {child.returncode}: {said[-300:]}")
        return Done(printed, time.monotonic() - began, child.returncode)

    def component(self, name: str) -> dict[str, Any]:
        """Its row of `ps --json`."""
        rows: list[dict[str, Any]] = json.loads(self.run("ps", "--json", fine=(0, 1)).printed)
        return {row["name"]: row for row in rows}[name]


def at_rest() -> float:
    """Percent of one core that the whole machine works, after a while of warming."""
    time.sleep(WARM_SECONDS)
    before, began = busy_seconds(Path("/proc/stat").read_text()), time.monotonic()
    time.sleep(REST_SECONDS)
    used = busy_seconds(Path("/proc/stat").read_text()) - before
    return 100 * used / (time.monotonic() - began)


def pause_after_a_kill(clone: Clone, tell: Callable[[str, float], None]) -> None:
    """The longest time in which `main` did not move, around a kill -9 under 20 calls a second."""
    address = f"http://{clone.component('nessie')['endpoints']['http']}/api/v2/trees/main"
    victim = int(clone.component(KILLED)["pid"])
    no_proxy = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def newest() -> str:
        with no_proxy.open(address, timeout=5) as answer:
            return str(json.load(answer)["reference"]["hash"])

    seconds = BEFORE_KILL_SECONDS + AFTER_KILL_SECONDS
    shoppers = clone.start("traffic", "--rate", "20", "--seconds", str(seconds), "--json")
    try:
        began, known, moments, killed = time.monotonic(), newest(), [], 0.0
        while (now := time.monotonic()) < began + seconds:
            if not killed and now >= began + BEFORE_KILL_SECONDS:
                os.kill(victim, signal.SIGKILL)
                killed = now
            if (found := newest()) != known:
                known = found
                moments.append(time.monotonic())
            time.sleep(LOOK_SECONDS)
        report = json.loads(shoppers.communicate(timeout=COMMAND_SECONDS)[0])
    finally:
        if shoppers.poll() is None:
            os.killpg(shoppers.pid, signal.SIGKILL)
            shoppers.wait()
    tell("kill -9 of the TaskManager: no publish for, s", longest_gap(moments, killed, began + seconds))
    tell("refused around that kill", report["refused"])


def diagnoses(clone: Clone, what: str, tell: Callable[[str, float], None]) -> None:
    """Some, one after another. One that finds something looks twice, so the two are told apart."""
    for _ in range(DIAGNOSES):
        done = clone.run("diagnose", "--json", fine=(0, 3))
        well = json.loads(done.printed)["healthy"]
        tell(f"diagnose, {what}, {'healthy' if well else 'something found'}, s", done.seconds)


def path(clone: Clone, tell: Callable[[str, float], None]) -> None:
    """The path of an order, with what watches it."""
    tell("up, s", clone.run("up").seconds)
    tell("at rest: path, % of a core", at_rest())
    rates = ("--rate", "50", "--rate", "200")
    found = json.loads(clone.run("bench", "freshness", "--seconds", "20", *rates, "--json").printed)
    for row in found["tables"]["seconds from commit, by SQL"]:
        rate = f"{row['asked_per_s']:g} orders/s"
        tell(f"commit to main p99 at {rate}, s", row["main_p99_s"])
        tell(f"commit to Trino p99 at {rate}, s", row["trino_p99_s"])
        tell(f"orders/s made of {rate}", row["orders_per_s"])
        tell(f"refused at {rate}", row["refused"])
    pause_after_a_kill(clone, tell)
    diagnoses(clone, "path", tell)


def shop_once(clone: Clone, tell: Callable[[str, float], None]) -> None:
    """The whole shop, started once."""
    tell("up --all, no data, s", clone.run("up", "--all").seconds)
    tell("at rest: whole shop, % of a core", at_rest())
    said = json.loads(
        clone.run("traffic", "--rate", "8", "--purchases", "2", "--seconds", "60", "--json", fine=(0, 1)).printed
    )
    tell("a purchase p50, ms", said["purchase_ms"]["p50"])
    tell("a purchase p95, ms", said["purchase_ms"]["p95"])
    tell("refused of 600 calls", said["refused"])
    judged = clone.run("check", "--json", fine=(0, 1, 3))
    tell("check, s", judged.seconds)
    tell("check: exit code", judged.code)
    diagnoses(clone, "whole shop", tell)


def shop(clone: Clone, tell: Callable[[str, float], None]) -> None:
    """The whole shop, started a second time on its data."""
    shop_once(clone, tell)
    clone.run("down")
    tell("up --all, with data, s", clone.run("up", "--all").seconds)


def demo(clone: Clone, tell: Callable[[str, float], None]) -> None:
    """README's first command once its set-up is done: from the fault to verified data; then all is stopped."""
    tell("demo, s", clone.run("demo").seconds)


def turn(clone: Clone, part: str, number: int, out: Path) -> None:
    """One side's turn: its rows go into the file at once."""

    def write(row: dict[str, Any]) -> None:
        head = {"round": number, "side": clone.side, "commit": clone.commit, "part": part}
        with out.open("a", encoding="utf-8") as file:
            file.write(json.dumps(head | row) + "\n")
        print(f"{time.strftime('%T')} round {number} {clone.side} {clone.commit} {row}", flush=True)

    clone.state = Path(tempfile.mkdtemp(prefix="turns-"))
    try:
        measure = {"path": path, "shop": shop, "shop-once": shop_once, "demo": demo}[part]
        measure(clone, lambda what, value: write({"what": what, "value": round(value, 2)}))
    except Exception as error:  # noqa: BLE001 - whatever it was, it is told, and the next turn begins
        write({"broke_off": f"{type(error).__name__}: {error}"})
    finally:
        clone.run("down")
        shutil.rmtree(clone.state)


def table(rows: Iterable[dict[str, Any]]) -> list[str]:
    """Markdown: of each thing the median and all values of either side, and after to before.

    Raises: ValueError where one side is of several commits.
    """
    values: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    commits: dict[str, str] = {}
    for row in rows:
        if commits.setdefault(row["side"], row["commit"]) != row["commit"]:
            raise ValueError(f"{row['side']} is of several commits: {commits[row['side']]}, {row['commit']}")
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
