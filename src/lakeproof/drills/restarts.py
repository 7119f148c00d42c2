"""Fault records for components that a drill's own steps and checks stop and start again.

Such a component is down on purpose: nobody else starts it, and no alert tells of it. Without a record it would stay
down where the drill is killed before it starts the component, or where its start is refused (its port is taken).
"""

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext

from lakeproof.faults import records
from lakeproof.faults.processes import StoppedProcess
from lakeproof.mitigations.mitigation import Mitigation
from lakeproof.mitigations.processes import RestartComponent
from lakeproof.stack.stack import Stack
from lakeproof.wrong_fixes.wrong_step import WrongStep


def on_record(stack: Stack, components: Iterable[str], *, by: str) -> AbstractContextManager[None]:
    """Keep the components on record as stopped during the block; in mode "external" nothing is stopped."""
    args = [{"component": name} for name in components]
    if not args or stack.settings.mode == "external":
        return nullcontext()
    return records.announced(stack, StoppedProcess, args, by=by)


def on_record_by_step(steps: Mapping[str, type[Mitigation]], *, by: str) -> dict[str, type[Mitigation]]:
    """The same steps, each wrapped so that the components it stops are on record while it runs."""
    return {name: _recording(step, by) for name, step in steps.items()}


def _recording(step: type[Mitigation], by: str) -> type[Mitigation]:
    def run(self: Mitigation, stack: Stack) -> str:
        with on_record(stack, _stopped_by(self, stack), by=by):
            return step.run(self, stack)

    return type(step.__name__, (step,), {"run": run, "__module__": step.__module__, "__doc__": step.__doc__})


def _stopped_by(step: Mitigation, stack: Stack) -> Iterable[str]:
    if step.id == RestartComponent.id:
        return [step.model_dump()["component"]]
    return step.stops(stack) if isinstance(step, WrongStep) else ()
