"""`lakeproof drill`: break the stack on purpose, and have the system show that it recovers."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from lakeproof.cli.output import print_json, say
from lakeproof.errors import InvalidInput
from lakeproof.stack.stack import load_stack

if TYPE_CHECKING:
    from lakeproof.drills.drill_series import SeriesReport
    from lakeproof.drills.order import Order
    from lakeproof.drills.playing import Played
    from lakeproof.drills.report import DrillReport
    from lakeproof.drills.wrong_series import WrongSeries
    from lakeproof.observability.timing import Timing

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
            min=0,
            max=3600,
            help="once all claims hold, kill -9 the part; no alert may fire for this many seconds (at least 60)",
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
    diagnosis and the repair are the live system's own.

    \b
    NAME is
      SCENARIO  by its default cause; another one: --cause, or NAME:CAUSE
      A+B       two of these at once; both causes must be named
      blind     a scenario and one of its causes, drawn by the seed and named in
                the review; what any scenario needs is started
      healthy   nothing is broken: for --minutes no alert may fire, no incident
                be opened, no cause be named; with --near-misses the same, while
                faults too weak for their incident are in the stack in turn
    or a series, one drill after another, smallest first:
      all       every scenario, and with --causes by each of its causes
      repairs   every repair that a truth accepts and the diagnosis does not
                propose
      wrong     every wrong fix that loses no data for good; passed where each
                was turned down by a check that the truth names
      pairs     scenarios by twos, drawn by the seed

    A series that was cut off goes on where it was, given its --report folder, its seed, the same code and the same
    options. --fix takes the id of a wrong fix (each must end in `failed`), of an accepted repair of one step (of
    several the first), or of a single step that needs no argument, a repair or a wrong one.

    Exit 0 only where the verdict is passed (of all: where each is), 1 failed, 3 unknown. Ctrl-C takes the fault out
    first; after a kill -9 the next drill, or `lakeproof fault remove --all`, does.
    """
    if timing is not None and timing not in ("drill", "production"):
        raise InvalidInput(f"no timing {timing!r}", where="--timing", next_action="drill or production")

    from lakeproof.drills.order import Order

    order = Order(
        name=name,
        cause=cause,
        all_causes=all_causes,
        seed=seed,
        fix=fix,
        rounds=rounds,
        minutes=minutes,
        near_misses=near_misses,
        blind=blind,
        recover_seconds=recover_seconds,
        afterwards=afterwards,
        timing=cast("Timing | None", timing),
    )
    found = _carry_out(order, report, table, as_json=as_json)
    raise typer.Exit(EXIT_CODES[found.verdict.value])


def _carry_out(order: "Order", report: Path | None, table: Path | None, *, as_json: bool) -> "Played":
    """Play the drill or series, then print what was found. Raises: InvalidInput; what a drill raises."""
    from lakeproof.drills.blind import BLIND
    from lakeproof.drills.order import SERIES, program_of
    from lakeproof.drills.playing import play, stamp
    from lakeproof.processes.client import SupervisorClient
    from lakeproof.scenarios.catalog import load_catalog

    stack = load_stack()
    external = stack.settings.mode == "external"
    program = program_of(order, load_catalog(tuple(stack.settings.scenario_dirs)), external=external)
    order = program.order
    if table is not None and not order.is_series:
        raise InvalidInput("one drill has no table", where="--table", next_action=f"it goes with {', '.join(SERIES)}")
    # Checked before anything is changed: the baseline already removes old faults and settles old open calls.
    if not external:  # for an external stack it does not matter what runs on this machine
        SupervisorClient(stack).require_ours()
    told = BLIND if order.is_blind and not order.is_series else order.name
    folder = (report or stack.reports_dir / f"{told}-{stamp()}").absolute()
    found = play(stack, program, folder, say)
    if as_json:
        print_json(found.as_json())
    _summary(found, folder)
    if table is not None:  # last, so that a file that cannot be written does not hide the results of hours of drills
        _write_table(table, order.in_words, cast("SeriesReport | WrongSeries", found))
    return found


def _write_table(path: Path, asked: str, series: "SeriesReport | WrongSeries") -> None:
    from lakeproof.drills.playing import stamp
    from lakeproof.machine import look_at_machine

    machine = look_at_machine()
    ran = f"lakeproof drill {asked} --seed {series.seed}, {stamp()}, commit {machine.commit}, {machine.cpu}"
    note = f"Generated by `{ran}`, {machine.cores} cores, {machine.memory_gib:g} GiB. Times in seconds."
    head, *rest = series.lines()
    # Written directly, not through a file that is renamed to it: a person may have named a device.
    path.write_text("\n".join((head, "", note, *rest)) + "\n", encoding="utf-8")


def _summary(found: "Played", folder: Path) -> None:
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
