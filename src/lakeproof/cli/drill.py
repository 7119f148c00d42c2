"""`lakeproof drill`: break the stack on purpose, and have the system show that it recovers."""

import re
import signal
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from lakeproof.cli.output import print_json, say
from lakeproof.errors import InvalidInput, LakeproofError
from lakeproof.stack.stack import Stack, load_stack
from lakeproof.unknown_name import unknown_name

if TYPE_CHECKING:
    from lakeproof.diagnosis.cause import Step
    from lakeproof.drills.drill_series import SeriesReport
    from lakeproof.drills.plan import DrillPlan
    from lakeproof.drills.report import DrillReport
    from lakeproof.drills.wrong_series import WrongSeries
    from lakeproof.observability.timing import Timing
    from lakeproof.scenarios.catalog import Catalog
    from lakeproof.scenarios.scenario import Scenario

HEALTHY_MINUTES = 5.0
PAIR_ROUNDS = 20
LEAST_AFTERWARDS = 60.0
EXIT_CODES = {"passed": 0, "failed": 1, "unknown": 3}


def drill(
    name: Annotated[
        str,
        typer.Argument(
            help="a scenario (`lakeproof runbook list`), A+B, all, repairs, wrong, pairs, blind, or healthy"
        ),
    ],
    cause: Annotated[
        str | None, typer.Option(help="bring the incident about by this other cause (`lakeproof runbook list`)")
    ] = None,
    all_causes: Annotated[
        bool, typer.Option("--causes", help="with all: by each of their other causes as well")
    ] = False,
    seed: Annotated[
        int, typer.Option(min=0, max=2**31 - 1, help="of the shoppers' calls, and of what blind draws")
    ] = 7,
    fix: Annotated[
        str | None, typer.Option("--fix", "--wrong-fix", help="run this instead of the diagnosed repair")
    ] = None,
    rounds: Annotated[
        int | None, typer.Option(min=1, max=78, help="how many pairs `pairs` draws; default: 20")
    ] = None,
    minutes: Annotated[
        float | None,
        typer.Option(min=0.1, max=1440, help="how long `healthy` looks on; default: 5, or what the near misses need"),
    ] = None,
    near_misses: Annotated[
        bool, typer.Option("--near-misses", help="with healthy: put in faults too weak for their incident, in turn")
    ] = False,
    blind: Annotated[bool, typer.Option(help="name neither scenario, fault nor claims before the review")] = False,
    recover_seconds: Annotated[
        float | None,
        typer.Option(min=1, max=3600, help="how long recovery may take; default: the scenario's budget"),
    ] = None,
    afterwards: Annotated[
        float,
        typer.Option(
            min=0, max=3600, help="once all claims hold: kill -9 the part; no alert for so many seconds, 60 at least"
        ),
    ] = 0.0,
    timing: Annotated[
        str | None, typer.Option(help="windows of the alerts meanwhile: drill or production; default: drill")
    ] = None,
    report: Annotated[Path | None, typer.Option(help="folder for report.json, report.md, journal.json")] = None,
    table: Annotated[
        Path | None,
        typer.Option(
            help="of a series (all, repairs, wrong, pairs): write its table there too, with commit and machine"
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print report.json on stdout at the end")] = False,
) -> None:
    """Run one drill: baseline, inject, detect, diagnose, mitigate, recover, verify, review.

    What the scenario needs is started if it is missing, and left running; what this run of a series started for one
    of its drills alone is stopped after it. Shoppers buy all the while. The alert, the desk's incident, the
    diagnosis and the repair are the live system's own. --fix takes the id of a wrong fix (each must end in `failed`),
    of an accepted repair of one step (of several the first), or of a single step that needs no argument, a repair or
    a wrong one.

    Every scenario has a cause that is played by default; --cause plays another (NAME:CAUSE says the same in one word,
    in A+B too). A+B: both faults at once; both causes must be named. all: every scenario, one after another, smallest
    first, with a table; given the --report folder of one that was cut off, its seed, the same code and
    the same options, it goes on there.
    repairs: by every repair that a truth accepts and the diagnosis does not propose, one after another. wrong: every
    wrong fix, one after another; passed where each was turned down by a check that the truth names.
    Those that lose data for good are left out, since they spoil the stack. pairs: scenarios by twos, drawn by the
    seed, smallest first. All of these go on where they were cut off, as `all` does.
    blind: a scenario and one of its causes, drawn by the seed and named in the review; what any scenario needs is
    started.
    healthy: nothing is broken; for --minutes no alert may fire, no incident be opened, no cause be named. With
    --near-misses the same is asked while faults too weak for their incident are in the stack, one after another.

    Exit 0 only where the verdict is passed (of all: where each is), 1 failed, 3 unknown. Ctrl-C takes the fault out
    first; after a kill -9 the next drill, or `lakeproof fault remove --all`, does.
    """
    if timing is not None and timing not in ("drill", "production"):
        raise InvalidInput(f"no timing {timing!r}", where="--timing", next_action="drill or production")

    from lakeproof.drills.blind import BLIND, PAIRS, draw_pairs
    from lakeproof.drills.drill_series import ALL, run_series, smallest_first
    from lakeproof.drills.healthy_drill import HEALTHY, least_minutes
    from lakeproof.drills.live_world import end_needed_alone, known_parts, live_world
    from lakeproof.drills.other_repairs import REPAIRS, other_repairs
    from lakeproof.drills.run import TIMING_FACTOR, one_drill
    from lakeproof.drills.wrong_series import WRONG_FIXES, run_wrong_fixes
    from lakeproof.incidents.drill_cards import link_report
    from lakeproof.processes.client import SupervisorClient
    from lakeproof.scenarios.catalog import load_catalog

    stack = load_stack()
    catalog = load_catalog(tuple(stack.settings.scenario_dirs))
    series = (ALL, REPAIRS, PAIRS, WRONG_FIXES)
    is_one = name not in (*series, BLIND, HEALTHY) and "+" not in name
    if cause is not None and not is_one:
        raise InvalidInput("it is of one scenario", where="--cause", next_action="name that scenario alone")
    if fix is not None and not is_one:
        raise InvalidInput("it mends one scenario", where="--fix", next_action="name that scenario alone")
    if cause is not None:
        name = catalog.scenario(name).by_cause(cause.replace("-", "_")).name
    if all_causes and name != ALL:
        raise InvalidInput("they are of all scenarios", where="--causes", next_action=f"it goes with {ALL} alone")
    whole = catalog.played if all_causes else catalog.scenarios.values()
    wanted = [name]
    if name == ALL:
        wanted = smallest_first({one.name: one.components for one in whole})
    if name == PAIRS:
        pairs = draw_pairs(catalog, seed, rounds or PAIR_ROUNDS)
        wanted = smallest_first({pair: _plan(catalog, pair, seed).components for pair in pairs})
    repairs = other_repairs(catalog) if name == REPAIRS else {}
    wanted = list(repairs) or wanted

    # A wrong name is refused before anything starts.
    def plan_of(each: str) -> "DrillPlan":
        return _plan(catalog, repairs[each].scenario.name if each in repairs else each, seed)

    plans = [plan_of(each) for each in wanted if each not in (HEALTHY, WRONG_FIXES)]
    if afterwards:
        _require_afterwards(stack, afterwards, timing, plans, "the drawn scenario" if name == BLIND else "")
    if minutes is not None and name != HEALTHY:
        raise InvalidInput(
            "a scenario takes as long as it takes", where="--minutes", next_action=f"it goes with {HEALTHY} alone"
        )
    if near_misses and name != HEALTHY:
        raise InvalidInput(
            "a scenario's drill has its own fault", where="--near-misses", next_action=f"it goes with {HEALTHY} alone"
        )
    if near_misses and blind:
        raise InvalidInput("each is named as it goes in", where="--near-misses", next_action="leave --blind out")
    if near_misses and stack.settings.mode == "external":
        raise InvalidInput("some slow our own processes down", where="--near-misses", next_action="leave it out")
    if rounds is not None and name != PAIRS:
        raise InvalidInput("nothing is drawn so often", where="--rounds", next_action=f"it goes with {PAIRS} alone")
    if table is not None and name not in series:
        raise InvalidInput("one drill has no table", where="--table", next_action=f"it goes with {', '.join(series)}")
    steps = _steps(catalog, catalog.scenario(name), fix) if fix is not None else None
    whole_stack = _plan(catalog, ALL, seed)
    misses = [miss for part in whole_stack.parts for miss in part.near_misses] if near_misses else []
    least = least_minutes(whole_stack, misses, TIMING_FACTOR[timing or "drill"]) if near_misses else 0.0
    looks_on = max(HEALTHY_MINUTES, least) if minutes is None else minutes
    if looks_on < least:
        raise InvalidInput(
            f"{len(misses)} near misses need {least:g}: each may take as long to tell as any fault",
            where="--minutes",
            next_action="give it more, or leave it out",
        )
    # Before anything is changed: at the baseline old faults would be out, and shoppers' leftovers settled.
    if stack.settings.mode == "local":  # what runs here beside somebody else's stack is no business of its drill
        SupervisorClient(stack).require_ours()
    blind = blind or name == BLIND
    folder = (report or stack.reports_dir / f"{BLIND if blind and name not in series else name}-{_now()}").absolute()

    def run(scenario: str, to: Path, steps: "tuple[Step, ...] | None" = steps) -> "DrillReport":
        from lakeproof.drills.drill import Drill
        from lakeproof.drills.healthy_drill import HealthyDrill
        from lakeproof.drills.run import DrillOptions

        if scenario in repairs:
            steps = repairs[scenario].steps
        run_name = _run_name(BLIND if blind else scenario.partition("/")[0])
        options = DrillOptions(seed, to, run_name, steps, blind, recover_seconds, afterwards)
        world = live_world(stack, catalog, cast("Timing | None", timing))
        if scenario == HEALTHY:
            return HealthyDrill(world, whole_stack, options, looks_on * 60, say, misses).run()
        return Drill(world, plan_of(scenario), options, say).run()

    played = {"blind": blind, "afterwards_seconds": afterwards} | ({"timing": timing} if timing else {})
    known_before = known_parts(stack) if name in series else frozenset()

    def between(done: str, others: Sequence[str]) -> None:
        plans = [plan_of(each) for each in others]
        try:
            end_needed_alone(stack, plan_of(done), plans, known_before, say)
        except LakeproofError as error:
            say(f"what only {done} needed runs on: {error.message}")

    with one_drill(stack):
        try:
            link_report(stack.reports_dir, folder)
        except OSError as error:
            say(f"the console will not show this drill: {error}")
        # A polite kill is treated as Ctrl-C is: the fault comes out first. SIGINT is set as well, since bash makes
        # what a script starts in the background ignore it.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.default_int_handler)
        try:
            found: DrillReport | SeriesReport | WrongSeries
            if name == WRONG_FIXES:
                found = run_wrong_fixes(
                    catalog, folder, seed, lambda one, fix, to: run(one.name, to, fix.steps), between
                )
            elif name in series:
                found = run_series(wanted, folder, seed, run, between, played, name)
            else:
                found = run(name, folder)
        finally:
            _back_to(stack)
    if as_json:
        print_json(found.as_json())
    _summary(found, folder)
    if table is not None:  # last: where it cannot be written, what hours of drills found is told all the same
        flags = {
            "--causes": all_causes,
            "--blind": blind,
            f"--rounds {rounds}": rounds,
            f"--recover-seconds {recover_seconds}": recover_seconds,
            f"--afterwards {afterwards:g}": afterwards,
            f"--timing {timing}": timing,
        }
        asked = " ".join((name, *(flag for flag, given in flags.items() if given)))
        _write_table(table, asked, cast("SeriesReport | WrongSeries", found))
    raise typer.Exit(EXIT_CODES[found.verdict.value])


def _require_afterwards(
    stack: Stack, seconds: float, timing: str | None, plans: "Sequence[DrillPlan]", instead: str
) -> None:
    """Refuse `--afterwards` where it proves nothing. plans: none where nothing is mended. instead: of a plan's name,
    where that must not be told. Raises: InvalidInput.
    """
    from lakeproof.checks.survives_restart import CHECK

    unnamed = [instead or plan.id for plan in plans if CHECK.id not in {step.id for step in plan.checks}]
    if not plans:
        why = "nothing is mended that could stay well"
    elif stack.settings.mode == "external":
        why = "the processes are not ours to kill"
    elif timing == "production":
        why = "windows of production are longer than it looks"
    elif seconds < LEAST_AFTERWARDS:
        why = f"{seconds:g} s prove nothing, {LEAST_AFTERWARDS:g} at least"
    elif unnamed:
        why = f"{', '.join(unnamed)} does not say by {CHECK.id} which part to kill"
    else:
        return
    raise InvalidInput(why, where="--afterwards", next_action="leave it out, or change that")


def _write_table(path: Path, asked: str, series: "SeriesReport | WrongSeries") -> None:
    from lakeproof.bench.machine import look_at_machine

    machine = look_at_machine()
    ran = f"lakeproof drill {asked} --seed {series.seed}, {_now()}, commit {machine.commit}, {machine.cpu}"
    note = f"Generated by `{ran}`, {machine.cores} cores, {machine.memory_gib:g} GiB. Times in seconds."
    head, *rest = series.lines()
    # Not by another file that takes its place: a person may have named a device.
    path.write_text("\n".join((head, "", note, *rest)) + "\n", encoding="utf-8")


def _back_to(stack: Stack) -> None:
    """Alerts go in the stack's own timing again; where that cannot be done now, the desk or the next `up` does it."""
    from lakeproof.observability.reload import give_back
    from lakeproof.processes.client import SupervisorClient

    if stack.settings.mode == "external" or not SupervisorClient(stack).running():
        return
    try:
        give_back(stack)
    except (LakeproofError, OSError) as error:
        say(f"alerts still go in the drill's timing: {error}")


def _now() -> str:
    return datetime.now(UTC).strftime("%Y%m%d-%H%M%S")


def _run_name(scenario: str) -> str:
    """Of the shoppers' run: a ledger's file name, at most 40 letters."""
    short = re.sub(r"[^a-z0-9]+", "-", scenario)[:18].rstrip("-")
    return f"drill-{short}-{_now()}"


def _plan(catalog: "Catalog", name: str, seed: int) -> "DrillPlan":
    """The scenario of that name, several joined by +, `all` of them at once, or what the seed draws.

    Raises: InvalidInput.
    """
    from lakeproof.drills.blind import BLIND, PAIRS, draw
    from lakeproof.drills.drill_series import ALL
    from lakeproof.drills.healthy_drill import HEALTHY
    from lakeproof.drills.other_repairs import REPAIRS
    from lakeproof.drills.plan import DrillPlan, make_plan
    from lakeproof.drills.wrong_series import WRONG_FIXES
    from lakeproof.scenarios.scenario import CAUSE_SIGN

    if name == ALL:
        return DrillPlan(tuple(catalog.scenarios.values()), calm=True)
    if name == BLIND:
        return draw(catalog, seed)
    if "+" not in name and name.partition(CAUSE_SIGN)[0] not in catalog.scenarios:
        raise unknown_name("scenario", name, (*catalog.scenarios, ALL, REPAIRS, WRONG_FIXES, PAIRS, BLIND, HEALTHY))
    return make_plan([catalog.scenario(part.strip()) for part in name.split("+")])


def _steps(catalog: "Catalog", scenario: "Scenario", fix: str) -> "tuple[Step, ...]":
    """The steps of a wrong fix of the scenario, of its accepted repair of one step, or one step alone.

    Raises: InvalidInput.
    """
    from lakeproof.diagnosis.cause import Step
    from lakeproof.scenarios.catalog import check_step

    truth = catalog.truth(scenario)
    identifier = fix.replace("-", "_")
    wrong = truth.wrong_fix(identifier)
    if wrong is not None:
        return wrong.steps
    for repair in truth.accepted_repairs:
        if [step.id for step in repair] == [identifier]:
            return repair
    if identifier not in catalog.steps:
        known = [each.id for each in truth.wrong_fixes]
        alone = [
            name
            for name, each in catalog.steps.items()
            if not any(field.is_required() for field in each.arguments.model_fields.values())
        ]
        raise InvalidInput(
            f"no fix {fix!r}",
            where="--fix",
            next_action=f"a wrong fix ({', '.join(known)}) or one step ({', '.join(alone)})",
        )
    step = Step(identifier)
    check_step("step", catalog.steps, step, "--fix")
    return (step,)


def _summary(found: "DrillReport | SeriesReport | WrongSeries", folder: Path) -> None:
    from lakeproof.drills.drill_series import SeriesReport
    from lakeproof.drills.wrong_series import WrongSeries

    say("")
    if isinstance(found, SeriesReport | WrongSeries):
        for line in found.lines():
            say(line)
    else:
        _one_summary(found)
    say(f"report: {folder / 'report.md'}")


def _one_summary(found: "DrillReport") -> None:
    say(f"{found.scenario}: {found.verdict.value}" + (f", root cause {found.root_cause}" if found.root_cause else ""))
    for record in found.phases:
        say(f"  {record.phase.value:<9} {record.seconds:6.1f} s  {record.outcome.value}")
    for judged in found.checks:
        say(f"  {judged.check:<22} {judged.verdict.outcome.value}: {judged.verdict.summary}")
    for reason in found.reasons:
        say(f"  because: {reason}")
