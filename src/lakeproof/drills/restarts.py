"""Fault records for components that a drill's own steps and checks stop and start again.

Such a component is down on purpose: nobody else starts it, and no alert tells of it. Without a record it would stay
down where the drill is killed before it starts the component, or where its start is refused (its port is taken).
"""

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import partial
from typing import Any

from lakeproof.arguments import Arguments
from lakeproof.faults import records
from lakeproof.faults.stopped_process import FAULT as STOPPED
from lakeproof.mitigations.mitigation import Mitigation
from lakeproof.mitigations.restart_component import MITIGATION as RESTART
from lakeproof.stack.stack import Stack
from lakeproof.wrong_fixes.wrong_step import WrongStep


def on_record(stack: Stack, components: Iterable[str], *, by: str) -> AbstractContextManager[None]:
    """Keep the components on record as stopped during the block; in mode "external" nothing is stopped."""
    args = [{"component": name} for name in components]
    if not args or stack.settings.mode == "external":
        return nullcontext()
    return records.announced(stack, STOPPED, args, by=by)


def on_record_by_step(steps: Mapping[str, Mitigation], *, by: str) -> dict[str, Mitigation]:
    """The same steps, each wrapped so that the components it stops are on record while it runs."""
    return {name: replace(step, run=partial(_run, step, by)) for name, step in steps.items()}


def _run(step: Mitigation, by: str, stack: Stack, arguments: Any) -> str:
    with on_record(stack, _stopped_by(step, stack, arguments), by=by):
        return step.run(stack, arguments)


def _stopped_by(step: Mitigation, stack: Stack, arguments: Arguments) -> Iterable[str]:
    if step.id == RESTART.id:
        return [arguments.model_dump()["component"]]
    return step.stops(stack) if isinstance(step, WrongStep) else ()
