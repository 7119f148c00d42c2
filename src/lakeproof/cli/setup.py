"""Having everything there that Lakeproof needs, and saying what is missing.

`lakeproof setup`: fetch and build what the engines need, into the cache; quick where all is there.
`lakeproof doctor`: say what this machine has, what is missing, and the command that brings it.
"""

import os
import sys
import threading
import time
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Self

import rich.progress
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from lakeproof.cli.asking import agreed
from lakeproof.cli.output import print_json, say
from lakeproof.errors import LakeproofError
from lakeproof.install.build import Options
from lakeproof.install.plan import Plan, make_plan
from lakeproof.install.recipe import load_recipes
from lakeproof.install.setup import choose, set_up

if TYPE_CHECKING:
    from lakeproof.install.doctor import Finding

_LINE_SECONDS = 8.0
_NOT_ASKED_MB = 50


def setup(
    only: Annotated[
        list[str] | None, typer.Option("--only", help="only this artifact, and what it needs; some are only built so")
    ] = None,
    verify: Annotated[bool, typer.Option("--verify", help="read every byte of what is there")] = False,
    relock: Annotated[bool, typer.Option("--relock", help="write the lock files anew from what comes")] = False,
    offline: Annotated[
        bool, typer.Option("--offline", help="download nothing; fail if something is missing")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="do not ask")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print what is there as JSON")] = False,
) -> None:
    """Fetch and build what the engines need, into the cache; quick when all is there."""
    recipes = load_recipes()
    chosen = choose(recipes, only or ())
    plan = Plan(tuple(recipe for recipe in make_plan(recipes, only or ()).missing if recipe.name in chosen))
    if plan.missing and not offline and not yes:  # bootstrap.sh has told, and asked
        _tell(plan)
        _ask(plan.download_mb)
    progress = make_progress()
    built = set_up(recipes, Options(verify=verify, relock=relock, offline=offline), progress, only=tuple(only or ()))
    if not only:
        from lakeproof.processes.class_training import train

        try:
            train(progress)
        except (LakeproofError, OSError) as error:  # a JVM also starts without an archive, only more slowly
            progress.report("classes", f"no class archives are written: {error}")
    if as_json:
        print_json([asdict(one) for one in built])
    else:
        megabytes = sum(one.size_bytes for one in built) // 1_000_000
        say(f"set-up: {len(built)} artifacts are there ({megabytes} MB)")


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="print the findings as JSON")] = False,
) -> None:
    """Say what this machine has, what is missing, and the command that brings it. Exit 1 when something is."""
    from lakeproof.install.doctor import State, examine  # psutil is loaded only here
    from lakeproof.observability.receivers import slack_finding

    findings = [*examine(), slack_finding(os.environ)]
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        # Piped output has no width to fit into, and a row must not be folded, so that grep finds it whole.
        Console(highlight=False, width=None if sys.stdout.isatty() else 240).print(findings_table(findings))
        for finding in findings:
            if finding.state is State.WARNING:
                say(f"WARNING: {finding.name}: {finding.seen}")
    missing = [finding.name for finding in findings if finding.state is State.MISSING]
    if missing:
        raise LakeproofError(
            f"missing: {', '.join(missing)}", where="doctor", next_action="see the last column, or run: make setup"
        )


def findings_table(findings: "Iterable[Finding]") -> Table:
    """One row per requirement; long paths and commands are folded, never cut."""
    table = Table(box=None, pad_edge=False)
    for column in ("Requirement", "State", "Seen", "How to get it"):
        table.add_column(column, overflow="fold")
    for finding in findings:
        seen = finding.seen.replace(str(Path.home()), "~")
        table.add_row(finding.name, finding.state.value, escape(seen), escape(finding.get_it))
    return table


def _tell(plan: Plan) -> None:
    say(f"to install: {plan.download_mb} MB to download, {plan.disk_mb} MB on disk")
    for recipe in plan.missing:
        say(f"  {recipe.name} {recipe.version}: {recipe.what} ({recipe.source}, {recipe.download_mb} MB)")


def _ask(megabytes: int) -> None:
    """Ask at the terminal before a large download. Raises: InvalidInput where the answer is no."""
    if megabytes <= _NOT_ASKED_MB or os.environ.get("LAKEPROOF_YES") == "1" or os.environ.get("CI"):
        return
    if not agreed("Go on?", "set-up"):
        say("going on: the input is no terminal, so there is nobody to ask")


def make_progress() -> "LiveProgress | PlainProgress":
    """Live progress on a terminal, plain lines elsewhere."""
    console = Console(stderr=True, soft_wrap=True, highlight=False)
    return LiveProgress(console) if console.is_terminal else PlainProgress()


class PlainProgress:
    """Lines such as `[ 12 s] trino: 210 MB of 382 MB`: events at once, amounts at most every eight seconds per
    artifact.
    """

    def __init__(self) -> None:
        self._start = time.monotonic()
        self._said: dict[str, float] = {}
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def report(self, name: str, text: str) -> None:
        """See Progress."""
        with self._lock:
            self._said[name] = time.monotonic()
            say(f"[{time.monotonic() - self._start:4.0f} s] {name}: {text}")

    def amount(self, name: str, done: int, total: int, unit: str) -> None:
        """See Progress."""
        if time.monotonic() - self._said.get(name, 0.0) >= _LINE_SECONDS:
            self.report(name, amount_text(done, total, unit))


class LiveProgress:
    """Progress on a terminal: events scroll by above one live line per artifact that is under way."""

    def __init__(self, console: Console) -> None:
        self._bars = rich.progress.Progress(
            rich.progress.SpinnerColumn(),
            rich.progress.TextColumn("{task.description}"),
            rich.progress.TextColumn("{task.fields[amount]}"),
            rich.progress.TimeElapsedColumn(),
            console=console,
            transient=True,
        )
        self._tasks: dict[str, rich.progress.TaskID] = {}
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def report(self, name: str, text: str) -> None:
        """See Progress."""
        self._bars.console.print(f"{name}: {text}", markup=False, highlight=False)
        self._show(name, "")
        if text.startswith(("built", "repaired", "FAILED")):
            self._bars.update(self._tasks[name], visible=False)

    def amount(self, name: str, done: int, total: int, unit: str) -> None:
        """See Progress."""
        self._show(name, amount_text(done, total, unit))

    def _show(self, name: str, amount: str) -> None:
        with self._lock:
            if name not in self._tasks:
                self._tasks[name] = self._bars.add_task(name, amount=amount)
        self._bars.update(self._tasks[name], amount=amount)


def amount_text(done: int, total: int, unit: str) -> str:
    """The amount as text, such as `210 MB of 382 MB` or `120 packages`."""
    scale = 1_000_000 if unit == "MB" else 1
    of = f" of {total // scale} {unit}" if total else ""
    return f"{done // scale} {unit}{of}"
