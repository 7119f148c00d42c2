"""The command `lakeproof bench`, which cli/bench.py loads from here. Its --help loads no benchmark."""

import signal
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from lakeproof.cli.output import print_json, print_rows, print_table, say
from lakeproof.cli.requiring import require_healthy
from lakeproof.stack.stack import load_stack

if TYPE_CHECKING:
    from benchmarks.benchmark import Result


def bench(
    name: Annotated[str | None, typer.Argument(help="Which benchmark; without a name they are listed.")] = None,
    seconds: Annotated[
        float,
        typer.Option(
            min=0,
            max=3600,
            help="Length of one round; corruption, whole-transactions: begin nothing new after it."
            " 0: the benchmark's own.",
        ),
    ] = 0,
    rate: Annotated[
        list[float] | None,
        typer.Option(
            min=0.1,
            max=5000,
            help="Orders a second; rate, whole-transactions: calls; checkout: purchases. May be repeated.",
        ),
    ] = None,
    seed: Annotated[
        int, typer.Option(min=0, max=2**31 - 1, help="Of the random choices; 0: the benchmark's own.")
    ] = 0,
    rounds: Annotated[
        int,
        typer.Option(
            min=0, max=10_000, help="How many rounds; whole-transactions, alert-storm: kills. 0: the benchmark's own."
        ),
    ] = 0,
    only: Annotated[
        list[str] | None,
        typer.Option(help="corruption: only kinds with this in their name; beside-flink-cdc: ours or peer."),
    ] = None,
    hashes: Annotated[
        int,
        typer.Option(min=0, max=100_000, help="whole-transactions, audit: hashes to judge; 0: the benchmark's own."),
    ] = 0,
    kill: Annotated[
        list[str] | None, typer.Option(help="whole-transactions, recovery: a component to kill; may be repeated.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The result as JSON on stdout.")] = False,
) -> None:
    """Run one benchmark on this machine: figures, ratios, the machine, and the command that does it again.

    What it needs must be up (`lakeproof up …` is named when it is not). No benchmark fails for being slow.
    Ctrl-C ends whole-transactions early: it judges what was published until then, and exits 3 (1: torn).

    Exit 0 measured; 1 where something that it needs does not run, or where a benchmark that also judges found
    something wrong (corruption: missed, or a false alarm; whole-transactions: a torn hash; beside-flink-cdc: of ours
    a torn hash or a wrong row; check-time: a failed check; alert-storm: a lost alert, or two incidents of one group);
    2 for a wrong name or value; 3 where not everything could be judged, or nothing runs.
    """
    from benchmarks.benchmark import Options, all_benchmarks, find
    from lakeproof.machine import look_at_machine

    if name is None:
        known = all_benchmarks().values()
        print_rows(
            as_json,
            [{"name": one.name, "summary": one.summary, "needs": one.needs} for one in known],
            ("Name", "Measures", "Needs"),
            ((one.name, one.summary, ", ".join(one.needs) or "-") for one in known),
        )
        return
    benchmark = find(name)
    stack = load_stack()
    require_healthy(stack, benchmark.needs)
    options = Options(seconds, tuple(rate or ()), seed, rounds, tuple(only or ()), hashes, tuple(kill or ()))
    # SIGTERM ends a benchmark as Ctrl-C does. SIGINT is set as well, because a program that a bash script starts in
    # the background ignores it.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    machine = look_at_machine()  # before the benchmark, which would otherwise be in the machine's load
    result = replace(benchmark.run(stack, options, say), machine=machine)
    if as_json:
        print_json(result.to_json())
    else:
        _print(result)
    if result.failed or result.unknown:
        raise typer.Exit(1 if result.failed else 3)


def _print(result: "Result") -> None:
    machine = result.machine
    print(f"{result.command}   ({result.at}, commit {machine.commit})")
    print(
        f"{machine.cpu}, {machine.cores} cores, {machine.memory_gib:g} GiB, {machine.system},"
        f" load before it {machine.load_before:g}",
    )
    for title, rows in result.tables.items():
        print(f"\n{title}")
        if rows:
            print_table(list(rows[0]), [[row.get(column) for column in rows[0]] for row in rows])
    print()
    for ratio in result.ratios:
        verdict = "" if ratio.met is None else (" (met)" if ratio.met else " (NOT met)")
        aim = f", aim {ratio.aim}{verdict}" if ratio.aim else ""
        print(f"ratio {ratio.value:g}: {ratio.what}{aim}")
    for note in result.notes:
        print(note)
