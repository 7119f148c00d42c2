"""`lakeproof mitigate`: propose a repair for an incident, and on --yes run it."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lakeproof.checks.verdict import Outcome
from lakeproof.cli.asking import agreed
from lakeproof.cli.incident_name import IncidentName
from lakeproof.cli.output import print_json, say
from lakeproof.errors import CouldNotLook, InvalidInput
from lakeproof.incidents.person import person
from lakeproof.scenarios.folder import scenario_folders
from lakeproof.stack.stack import Stack, load_stack
from lakeproof.unknown_name import unknown_name

if TYPE_CHECKING:
    from lakeproof.diagnosis.cause import Cause, Step
    from lakeproof.mitigations.mitigation import Mitigation
    from lakeproof.repairs.by_a_person import Line
    from lakeproof.repairs.running import StepDone


def mitigate(
    incident: IncidentName,
    action: Annotated[str | None, typer.Option(help="one mitigation instead of the diagnosed repair")] = None,
    arg: Annotated[list[str] | None, typer.Option(help="NAME=VALUE for --action; may be repeated")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="only say what would be typed")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="run it without asking")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="the steps as JSON on stdout")] = False,
) -> None:
    """Look at the live stack, propose the repair of the diagnosed cause, and run it.

    Of several causes it takes the one that the incident's alerts are about: of the connector, database or component
    that they name, or of their scenario. Where all causes are about something else, it lists them and proposes
    nothing. It says (on stderr) if this machine's processors are full: what is only late may look broken then, and a
    restart makes it later.
    An --action acts on the connector, database or server that they name too, unless --arg says another. Where they
    name none and there are two, --arg has to.
    A repair that was run for this incident, and after which the stack shows the same, is not proposed again; --action
    runs it all the same. Without --yes it asks; without a terminal to ask on, it only proposes.
    Each step is written into the incident, one that failed too, in the name of $LAKEPROOF_USER or the login.
    Once a step was run, a desk that is restarted is waited for, up to a minute. If it stays away the further steps
    are run all the same, and what stands in no timeline is told, with the commands that write it there.
    Exit 0 where every step went well (or was only shown: --dry-run, or nobody to ask), 1 where one failed, 2 where
    the answer is no, 3 where no cause was found, the incident is about none of them, or the desk did not answer or
    did not take what was done.
    """
    from lakeproof.arguments import parse_arguments
    from lakeproof.incidents.client import DeskClient
    from lakeproof.lake.sources.source import present
    from lakeproof.mitigations.mitigation import all_mitigations
    from lakeproof.processes.pressure import told_when_full
    from lakeproof.repairs.by_a_person import repair
    from lakeproof.repairs.choice import aimed

    stack = load_stack()
    folders = scenario_folders(tuple(stack.settings.scenario_dirs))
    known = all_mitigations(tuple(folders.values()))
    if action is None and arg:
        raise InvalidInput("it goes with --action", where="--arg", next_action="name the mitigation, or leave it out")
    typed = _step(known, action, arg or []) if action is not None else None
    if typed is not None:  # typed arguments are checked before the desk is asked
        parse_arguments(known[typed.id], typed.arguments, typed.id)
    desk = DeskClient(stack)
    row = desk.incident(incident)
    for told in told_when_full():
        say(told)
    named, further = "", list[str]()
    if typed is None:
        cause, further = _diagnose(stack, folders, row, known)
        steps, named = cause.repairs, cause.id
        say(f"{row['id']}: {cause.id}: {cause.says['en']}")
        if further:
            say(f"  {len(further)} further, look again once that is mended: {', '.join(further)}")
    else:
        steps = (aimed(typed, known[typed.id], row, [one.words for one in present(stack)]),)
    steps = tuple(_held(stack, step, known) for step in steps)
    proposed = [_proposed(stack, step, known[step.id]) | {"cause": named, "further": further} for step in steps]
    for each in proposed:
        say(f"  {each['action']}: {each['typed']}")
        say(f"    risk {each['risk']['level']}: {each['risk']['en']}")
    asked = yes or (not dry_run and agreed("run it?", f"mitigate {incident}"))
    if dry_run or not asked:
        if as_json:
            print_json(proposed)
        return
    done, lost = repair(stack, desk, row["id"], steps, known, who=person(), tell=lambda text: say(f"  {text}"))
    if as_json:
        print_json([_ran(each, lost) for each in done])
    if lost:
        say(f"{len(lost)} of {len(done)} steps do not stand in the timeline of {row['id']}. Once the desk answers:")
    for line in lost:
        say(f"  lakeproof incident note {row['id']} {shlex.quote(line.text)} --kind action --key {line.key}")
    if any(each.outcome is not Outcome.PASSED for each in done):
        raise typer.Exit(1)
    if lost:
        raise typer.Exit(3)


def _proposed(stack: Stack, step: "Step", found: "type[Mitigation]") -> dict[str, Any]:
    """A step before it is run, for --json and for the printed proposal."""
    from lakeproof.arguments import parse_arguments
    from lakeproof.mitigations.risk import risk_of

    given = parse_arguments(found, step.arguments, step.id)
    return {
        "action": step.id,
        "typed": given.typed(stack),
        "summary": found.summary,
        "arguments": step.arguments | given.model_dump(mode="json"),
        "risk": asdict(risk_of(step.id)),
    }


def _ran(step: "StepDone", lost: "Sequence[Line]") -> dict[str, Any]:
    """A step after it was run, for --json. `lost`: the lines that could not be written into the timeline."""
    return {
        "action": step.action,
        "outcome": step.outcome.value,
        "text": step.text,
        "in_timeline": step not in [line.step for line in lost],
    }


def _diagnose(
    stack: Stack, folders: Mapping[str, Path], incident: dict[str, Any], known: "dict[str, type[Mitigation]]"
) -> "tuple[Cause, list[str]]":
    """The cause that the live stack shows, and the ids of all other causes that hold, the hidden ones last.

    Of several causes it is the likeliest one among those that the incident's alerts are about.

    Raises: CouldNotLook where no cause holds, the incident is about none of them, the cause has no repair, or every
    repair was tried already.
    """
    from lakeproof.diagnosis.examination import examine
    from lakeproof.probes.probe import all_probes
    from lakeproof.repairs.choice import fitting, untried

    found = examine(stack, folders).diagnosis
    if not found.findings:
        what = "the stack is healthy" if found.healthy else "something is out of range, and no known cause fits"
        raise CouldNotLook(f"no repair to propose: {what}", next_action="lakeproof diagnose")
    fit = fitting(found.findings, incident, all_probes(tuple(folders.values())))
    if not fit:
        others = "; ".join(_in_words(finding.cause) for finding in found.findings)
        raise CouldNotLook(
            f"no repair to propose, what is wrong is not what the incident's alerts are about: {others}",
            where=str(incident["id"]),
            next_action="a person has to look; --action runs a repair by your word",
        )
    left = untried(fit, incident, known)
    if not left:
        cause = fit[0].cause
        raise CouldNotLook(
            f"{', '.join(step.id for step in cause.repairs)} was run for this incident and did not help: "
            f"{cause.says['en']}",
            where=cause.id,
            next_action=f"a person has to look; {_typed(cause)} runs it once more",
        )
    cause = left[0].cause
    if not cause.repairs:
        raise CouldNotLook(
            f"a person has to look: {cause.says['en']}", where=cause.id, next_action="lakeproof diagnose"
        )
    return cause, found.others(cause.id)


def _in_words(cause: "Cause") -> str:
    """The cause with its repair, written as options of this command."""
    return f"{cause.id} ({_typed(cause) or 'no repair is known'})"


def _typed(cause: "Cause") -> str:
    """The cause's repair as options of this command."""
    steps = (
        " ".join((f"--action {step.id}", *(f"--arg {name}={value}" for name, value in step.args)))
        for step in cause.repairs
    )
    return ", then ".join(steps)


def _held(stack: Stack, step: "Step", known: "dict[str, type[Mitigation]]") -> "Step":
    """The step, limited to the objects that it would touch now: those that appear after the proposal was shown are
    not touched.
    """
    from lakeproof.arguments import parse_arguments
    from lakeproof.diagnosis.cause import Step

    found = known[step.id]
    held = parse_arguments(found, step.arguments, step.id).hold(stack)
    return Step(step.id, tuple(sorted({**step.arguments, **held}.items())))


def _step(known: "dict[str, type[Mitigation]]", name: str, given: list[str]) -> "Step":
    from lakeproof.arguments import parse_pairs
    from lakeproof.diagnosis.cause import Step

    identifier = name.replace("-", "_")
    if identifier not in known:
        # A scenario's wrong fix is no mitigation: only `lakeproof drill --fix` runs wrong fixes.
        raise unknown_name("mitigation", name, known, where="--action")
    return Step(identifier, tuple(sorted(parse_pairs(given).items())))
