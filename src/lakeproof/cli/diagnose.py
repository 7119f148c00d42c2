"""`lakeproof diagnose`: look at the live stack and name root causes, with the evidence for and against each."""

from typing import TYPE_CHECKING, Annotated

import typer

from lakeproof.cli.output import print_json
from lakeproof.scenarios.folder import scenario_folders
from lakeproof.stack.stack import load_stack

if TYPE_CHECKING:
    from lakeproof.diagnosis.diagnosis import Diagnosis, Seen


def diagnose(
    as_json: Annotated[bool, typer.Option("--json", help="The diagnosis as JSON on stdout.")] = False,
) -> None:
    """Look at the live stack and name root causes, each with the evidence for and against it; repairs nothing.

    First comes the cause that accounts for the most of what is out of range. A cause that holds too, but may come
    of a named one, is told as hidden behind it.

    Every component is asked. Where something is out of range, it and all that could tell why are asked again two
    seconds later. It takes some seconds; where something does not answer it asks for at most twelve, and for at
    most eighteen where this machine's processors are full, so that what is only late is not named as hung. All that
    is written are objects of one byte, which tell whether the object store takes writes and are deleted at once.
    Alertmanager is not needed; without Prometheus nobody can tell which share of its calls a service refused. Exit
    0 where the stack is healthy or a cause is named, 3 where something is out of range (or could not be looked at)
    and no known cause fits, where there was nothing to ask, or where nobody could tell which components belong to
    the stack and no cause is named.
    """
    from lakeproof.diagnosis.examination import examine
    from lakeproof.processes.pressure import full_percent, told_when_full

    stack = load_stack()
    seen = examine(stack, scenario_folders(tuple(stack.settings.scenario_dirs)))
    found = seen.diagnosis
    if as_json:
        doubt = {"in_doubt": seen.in_doubt} if seen.in_doubt else {}
        waiting = full_percent()
        load = {} if waiting is None else {"cpu_waiting_percent": waiting}
        print_json(found.as_json() | {"not_asked": sorted(seen.absent)} | doubt | load)
    else:
        _print(found)
        if seen.absent:
            print(f"not part of this stack, and not asked: {', '.join(sorted(seen.absent))}")
        if seen.in_doubt:
            print(f"could not tell what is part of this stack: {seen.in_doubt}")
            print("asked instead: what `lakeproof up` starts")
        for told in told_when_full():
            print(told)
    if (found.unknown or seen.in_doubt) and not found.findings:
        raise typer.Exit(3)


def _print(found: "Diagnosis") -> None:
    if found.healthy:
        print("healthy: nothing is out of range")
    for finding in found.findings:
        print(f"{finding.cause.id} (scenario {finding.cause.scenario}): {finding.cause.says['en']}")
        if len(finding.explains) > 1:
            print(f"  accounts for {len(finding.explains)} readings that are out of range")
        for seen in finding.evidence_for:
            print(f"  for      {_line(seen)}")
        for seen in finding.evidence_against:
            print(f"  against  {_line(seen)}, asked: {seen.condition}")
        for step in finding.cause.repairs:
            print(f"  repair   {step.id} {_arguments(step.arguments)}".rstrip())
        if not finding.cause.repairs:
            print("  repair   by no step: a person has to look")
    for finding in found.findings:
        behind = [each.cause for each in found.hidden if each.by == finding.cause.id]
        if behind:
            print(f"hidden behind {finding.cause.id}: {', '.join(behind)}; look again once that is mended")
    for seen in found.unknown:
        print(f"fits no cause: {_line(seen)}")


def _arguments(given: dict[str, object]) -> str:
    return " ".join(f"{name}={value}" for name, value in given.items())


def _line(seen: "Seen") -> str:
    read = seen.reading
    value = f"{read.value} {read.unit}".strip() if read.answered else read.error
    healthy = f"healthy: {seen.expected}; " if seen.expected else ""
    return f"{read.probe}: {value} ({healthy}{read.source}: {read.query})"
