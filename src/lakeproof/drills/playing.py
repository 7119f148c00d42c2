"""Plays a Program: one drill or a series, the only one in its stack, with the alert windows of the drill's timing."""

import re
import signal
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from lakeproof.diagnosis.cause import Step
from lakeproof.drills.blind import BLIND
from lakeproof.drills.drill import Drill
from lakeproof.drills.drill_series import SeriesReport, run_series
from lakeproof.drills.healthy_drill import HEALTHY, HealthyDrill
from lakeproof.drills.live_world import end_needed_alone, known_parts, live_world
from lakeproof.drills.order import Program
from lakeproof.drills.report import DrillReport
from lakeproof.drills.run import DrillOptions, one_drill
from lakeproof.drills.world import Progress
from lakeproof.drills.wrong_series import WRONG_FIXES, WrongSeries, run_wrong_fixes
from lakeproof.errors import LakeproofError
from lakeproof.incidents.drill_cards import link_report
from lakeproof.observability.reload import give_back
from lakeproof.processes.client import SupervisorClient
from lakeproof.stack.stack import Stack

type Played = DrillReport | SeriesReport | WrongSeries


def play(stack: Stack, program: Program, folder: Path, tell: Progress) -> Played:
    """Play the program, with its reports in `folder`.

    Raises: InvalidInput where another drill runs in the stack; what a drill raises; after Ctrl-C or SIGTERM
    KeyboardInterrupt, once the fault is out.
    """
    order = program.order
    known_before = known_parts(stack) if order.is_series else frozenset()

    def run(drill: str, to: Path, steps: tuple[Step, ...] | None = program.steps) -> DrillReport:
        if drill in program.repairs:
            steps = program.repairs[drill].steps
        name = run_name(BLIND if order.is_blind else drill.partition("/")[0])
        options = DrillOptions(order.seed, to, name, steps, order.is_blind, order.recover_seconds, order.afterwards)
        world = live_world(stack, program.catalog, order.timing)
        if drill == HEALTHY:
            minutes, misses = program.minutes, program.near_misses
            return HealthyDrill(world, program.whole, options, minutes * 60, tell, misses).run()
        return Drill(world, program.plan(drill), options, tell).run()

    def between(done: str, others: Sequence[str]) -> None:
        try:
            end_needed_alone(stack, program.plan(done), [program.plan(one) for one in others], known_before, tell)
        except LakeproofError as error:
            tell(f"what only {done} needed runs on: {error.message}")

    with one_drill(stack):
        try:
            link_report(stack.reports_dir, folder)
        except OSError as error:
            tell(f"the console will not show this drill: {error}")
        # SIGTERM is treated like Ctrl-C: the fault comes out first. SIGINT needs a handler as well, because bash
        # makes background processes of a script ignore it.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.default_int_handler)
        try:
            if order.name == WRONG_FIXES:
                return run_wrong_fixes(
                    program.catalog, folder, order.seed, lambda one, fix, to: run(one.name, to, fix.steps), between
                )
            if order.is_series:
                played: dict[str, bool | float | str] = {
                    "blind": order.is_blind,
                    "afterwards_seconds": order.afterwards,
                }
                played |= {"timing": order.timing} if order.timing else {}
                return run_series(program.drills, folder, order.seed, run, between, played, order.name)
            return run(order.name, folder)
        finally:
            _give_back(stack, tell)


def _give_back(stack: Stack, tell: Progress) -> None:
    """Give the alerts the stack's own timing again. Where that fails, the desk or the next `up` does it."""
    if stack.settings.mode == "external" or not SupervisorClient(stack).running():
        return
    try:
        give_back(stack)
    except (LakeproofError, OSError) as error:
        tell(f"alerts still go in the drill's timing: {error}")


def stamp() -> str:
    """The present time (UTC) in the form that names of runs and folders use."""
    return datetime.now(UTC).strftime("%Y%m%d-%H%M%S")


def run_name(drill: str) -> str:
    """The name of the shoppers' run, which is also their ledger's file name: at most 40 characters."""
    short = re.sub(r"[^a-z0-9]+", "-", drill)[:18].rstrip("-")
    return f"drill-{short}-{stamp()}"
