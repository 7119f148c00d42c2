"""The end of a drill, passed, failed or interrupted: undo wrong fixes, remove the fault, look for what is left."""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from lakeproof.arguments import parse_arguments
from lakeproof.checks.verdict import Verdict
from lakeproof.deadline import Deadline
from lakeproof.diagnosis.cause import Step
from lakeproof.drills.bound_checks import Judged
from lakeproof.drills.detection import AlertWatch
from lakeproof.drills.journal import Journal
from lakeproof.drills.world import World
from lakeproof.errors import CouldNotLook, LakeproofError
from lakeproof.faults import records
from lakeproof.faults.fault import Fault
from lakeproof.faults.processes import StoppedProcess
from lakeproof.probes.reading import Reading
from lakeproof.proof.findings import WRONG
from lakeproof.wrong_fixes.wrong_step import left_by

log = logging.getLogger(__name__)

END = "end"
# How long a drill waits at its end until no alert fires at all, so that the next drill begins without one. Alerts of
# other scenarios may clear later than the drill's own. The consumer lag alert goes by the largest lag of the last
# minute, so it fires for a minute after the consumer has caught up.
QUIET_SECONDS = 120.0


def remove_old_faults(world: World, journal: Journal) -> None:
    """Take out the faults that an earlier drill or a person left in the stack, and what wrong fixes left.

    Raises: the first LakeproofError, after every removal was tried.
    """
    known, errors = {**left_by(world.catalog.wrong_steps), **world.catalog.faults}, []
    for record in records.newest_first(world.stack):
        try:
            if record.fault not in known:
                raise LakeproofError(
                    f"an old fault {record.fault!r} is on record, and no module knows it",
                    where="faults",
                    next_action="add its scenario folder to scenario_dirs",
                )
            journal.write("baseline", f"a fault of {record.at} was left behind ({record.by}): removing it")
            records.remove(world.stack, known[record.fault], record.args)
        except LakeproofError as error:
            errors.append(error)
    if errors:
        raise errors[0]


def attempt(what: str, do: Callable[[], object], journal: Journal) -> None:
    """Call `do`. Where it raises, write `what` (the consequence in words) and the reason into the journal."""
    try:
        do()
    except LakeproofError as error:
        journal.write(END, f"{what}: {error.message}")
    except Exception as error:  # the top of a drill: a bug here must not keep the fault in the stack
        log.exception("the end of a drill: %s", what)
        journal.write(END, f"{what}: {type(error).__name__}: {error}")


def announce_steps(world: World, steps: Sequence[Step], by: str) -> None:
    """Write a fault record for what each wrong step will leave behind, so that it can be undone after a kill -9.

    Raises: TerminalError where a record cannot be written: the steps must not be run then.
    """
    left = left_by(world.catalog.wrong_steps)
    for step in steps:
        if step.id in left:
            records.announce(world.stack, left[step.id], step.arguments, by=by)


def undo_steps(world: World, steps: Sequence[Step], journal: Journal) -> None:
    """Undo what wrong steps left behind (a silence, for example), the last step first. Never raises on purpose."""
    for step in reversed(steps):
        attempt(f"not undone: {step.id}", partial(_undo, world, step, journal), journal)


def _undo(world: World, step: Step, journal: Journal) -> None:
    left = left_by(world.catalog.wrong_steps).get(step.id)
    if left is not None:
        records.remove(world.stack, left, step.arguments)
        journal.write(END, f"undone: {step.id}")


def take_out(world: World, faults: Sequence[Step], journal: Journal) -> bool:
    """Remove the faults of this drill that are on record, the last one first. Never raises on purpose.

    False where none of them was found on record.
    """
    found: list[tuple[type[Fault], Mapping[str, Any]]] = []
    attempt("the fault may still be in", lambda: found.extend(_on_record(world, reversed(faults))), journal)
    for fault, args in found:
        attempt("the fault is still in", partial(_take_out, world, fault, args, journal), journal)
    return bool(found)


def _on_record(world: World, faults: Iterable[Step]) -> list[tuple[type[Fault], Mapping[str, Any]]]:
    """Those of the faults that are on record, each with all of its arguments (defaults included)."""
    on_record = [(record.fault, dict(record.args)) for record in records.recorded(world.stack)]
    whole = [
        (fault, parse_arguments(fault, step.arguments, fault.id).model_dump(mode="json"))
        for step in faults
        for fault in [world.catalog.faults[step.id]]
    ]
    return [(fault, args) for fault, args in whole if (fault.id, args) in on_record]


def _take_out(world: World, fault: type[Fault], args: Mapping[str, Any], journal: Journal) -> None:
    records.remove(world.stack, fault, args)
    journal.write(END, "the fault is out")


def start_again(world: World, journal: Journal, *, by: str) -> None:
    """Start what a step or check of this drill stopped and did not start again. Never raises on purpose."""
    left: list[records.FaultRecord] = []
    attempt("components may still be stopped", lambda: left.extend(records.newest_first(world.stack)), journal)
    for record in left:
        if (record.fault, record.by) == (StoppedProcess.id, by):
            attempt(f"still stopped: {record.args}", partial(_start, world, record.args, journal), journal)


def _start(world: World, args: Mapping[str, Any], journal: Journal) -> None:
    records.remove(world.stack, StoppedProcess, args)
    journal.write(END, f"started again: {args['component']}")


def await_clear(alerts: AlertWatch, seconds: float) -> None:
    """Wait until the alerts that fired fire no more. Raises: DeadlineExpired, CouldNotLook."""
    Deadline(seconds).wait_for("the alerts to clear", lambda: None if alerts.still_firing() else True, every=1.0)


def look_inventory(world: World) -> Mapping[str, Reading]:
    """Readings of the inventory probes, which list what exists in the stack, of components that are part of it."""
    away = world.parts().absent
    return world.look(probe for probe in world.catalog.probes.values() if probe.inventory and not probe.is_of(away))


def wrong_data(verdict: Verdict) -> Mapping[str, int]:
    """The verdict's counts of wrong data that are not zero, by their names in WRONG."""
    return {name: int(verdict.numbers[name]) for name in WRONG if verdict.numbers.get(name)}


def residue(world: World, before: Mapping[str, Reading], judged: Iterable[Judged] = ()) -> list[str]:
    """In words, what a drill left: fault records, wrong data, inventory that differs from `before`, firing alerts."""
    left = [f"fault {record.fault}" for record in records.recorded(world.stack)]
    for each in judged:
        if wrong := wrong_data(each.verdict):
            counts = ", ".join(f"{count} {name}" for name, count in wrong.items())
            left.append(f"data: {counts}; the stack must be made anew (lakeproof reset)")
    for name, now in look_inventory(world).items():
        old = before.get(name)
        if not now.answered or old is None or not old.answered:
            left.append(f"{name}: could not look")
            continue
        was, is_now = set(str(old.value or "").split()), set(str(now.value or "").split())
        left += [f"{name}: {item}" for item in sorted(is_now - was)]
        left += [f"{name}: {item} is gone" for item in sorted(was - is_now)]
    try:
        left += [f"alert {alert} still fires" for alert in await_quiet(world, QUIET_SECONDS)]
    except CouldNotLook as error:
        left.append(f"alerts: {error.message}")
    return left


def await_quiet(world: World, seconds: float) -> Sequence[str]:
    """Wait until no alert of any scenario fires; gives those that still do after `seconds`. Raises: CouldNotLook."""
    deadline = Deadline(seconds)
    while (firing := world.all_firing()) and not deadline.expired:
        deadline.pause(1.0)
    return firing
