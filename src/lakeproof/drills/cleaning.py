"""The end of a drill, however it ended: wrong fixes undone, the fault out, and what is left behind all the same."""

from collections.abc import Iterable, Mapping, Sequence

from lakeproof.arguments import parse_arguments
from lakeproof.deadline import Deadline
from lakeproof.drills.alert_watch import AlertWatch
from lakeproof.drills.journal import Journal
from lakeproof.drills.verification import Judged
from lakeproof.drills.world import World
from lakeproof.errors import CouldNotLook, DeadlineExpired, LakeproofError
from lakeproof.faults import records
from lakeproof.faults.fault import Fault
from lakeproof.probes.reading import Reading
from lakeproof.scenarios.causes import Step

END = "end"
# Counts of rows that a repair of the service does not bring back.
WRONG = ("lost", "duplicated", "stale", "phantom")


def remove_old_faults(world: World, journal: Journal) -> None:
    """Take out what an earlier drill or a person left in the stack. Raises: LakeproofError."""
    for record in records.recorded(world.stack):
        fault = world.catalog.faults.get(record.fault)
        if fault is None:
            raise LakeproofError(
                f"an old fault {record.fault!r} is on record, and no module knows it",
                where="faults",
                next_action="add its scenario folder to scenario_dirs",
            )
        journal.write("baseline", f"a fault of {record.at} was left behind ({record.by}): removing it")
        records.remove(world.stack, fault)


def undo_steps(world: World, steps: Sequence[Step], journal: Journal) -> None:
    """Take back what steps left that is no repair, the last one first. Never raises on purpose."""
    for step in reversed(steps):
        mitigation = world.catalog.mitigations[step.id]
        if mitigation.undo is None:
            continue
        try:
            mitigation.undo(world.stack, parse_arguments(mitigation.arguments, step.arguments, step.id))
            journal.write(END, f"undone: {step.id}")
        except LakeproofError as error:
            journal.write(END, f"not undone: {step.id}: {error.message}")


def take_out(world: World, faults: Sequence[Fault], alerts: AlertWatch, seconds: float, journal: Journal) -> None:
    """Remove those on record, the last one first, and wait for the alerts to clear. Never raises on purpose."""
    on_record = {record.fault for record in records.recorded(world.stack)}
    if not on_record & {fault.id for fault in faults}:
        return
    for fault in reversed(faults):
        if fault.id not in on_record:
            continue
        try:
            records.remove(world.stack, fault)
            journal.write(END, "the fault is out")
        except LakeproofError as error:
            journal.write(END, f"the fault is still in: {error.message}")
    try:
        Deadline(seconds).wait_for("the alerts to clear", lambda: None if alerts.still_firing() else True, every=1.0)
    except (DeadlineExpired, CouldNotLook) as error:
        journal.write(END, error.message)


def look_inventory(world: World) -> Mapping[str, Reading]:
    """What there is in the stack, by the probes that list it; none of components that it does not have."""
    away = world.absent()
    return world.look(probe for probe in world.catalog.probes.values() if probe.inventory and not probe.is_of(away))


def residue(
    world: World, before: Mapping[str, Reading], alerts: AlertWatch, judged: Iterable[Judged] = ()
) -> list[str]:
    """What a drill left behind: faults, things that are new or gone, alerts that still fire, data that is wrong."""
    left = [f"fault {record.fault}" for record in records.recorded(world.stack)]
    for each in judged:
        wrong = {name: int(each.verdict.numbers.get(name, 0)) for name in WRONG if each.verdict.numbers.get(name)}
        if wrong:
            counts = ", ".join(f"{count} {name}" for name, count in wrong.items())
            left.append(f"data: {counts}; the stack must be made anew (lakeproof down, then remove its state folder)")
    for name, now in look_inventory(world).items():
        old = before.get(name)
        if not now.answered or old is None or not old.answered:
            left.append(f"{name}: could not look")
            continue
        was, is_now = set(str(old.value or "").split()), set(str(now.value or "").split())
        left += [f"{name}: {item}" for item in sorted(is_now - was)]
        left += [f"{name}: {item} is gone" for item in sorted(was - is_now)]
    try:
        left += [f"alert {alert} still fires" for alert in alerts.still_firing()]
    except CouldNotLook as error:
        left.append(f"alerts: {error.message}")
    return left
