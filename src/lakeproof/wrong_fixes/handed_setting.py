"""Makes a wrong step that restarts a service with one setting changed, which mends nothing."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lakeproof.arguments import Arguments
from lakeproof.processes.handed_variable import last_handed, lend_variable, start_by_hand, take_back_variable
from lakeproof.stack.stack import Stack
from lakeproof.wrong_fixes.wrong_step import WrongStep


def handed_setting(
    id_: str, summary: str, service: str, variable: str, arguments: type[Arguments], told: str
) -> WrongStep:
    """A wrong step that restarts `service` with another value of `variable`.

    arguments: a class with one field, the variable's value.
    told: what the step says after its run, with the placeholders {service} and {value}.
    """
    (field,) = arguments.model_fields

    def value_of(given: Any) -> str:
        return str(getattr(given, field))

    def note(stack: Stack) -> Path:
        """The file that keeps the value that the service was started with before."""
        return stack.data_dir(service) / f"before-{id_}"

    def typed(stack: Stack, given: Any) -> str:
        """The same by hand; `lakeproof start` passes on the variables that the shell has set."""
        start = start_by_hand(service, last_handed(stack, service) | {variable: value_of(given)})
        return f"lakeproof stop {service}; {start}"

    def run(stack: Stack, given: Any) -> str:
        """Restart the service with the value; returns once healthy, at once if it has it. Raises: LakeproofError."""
        lend_variable(stack, service, variable, value_of(given), note(stack))
        return told.format(service=service, value=value_of(given))

    def undo(stack: Stack, given: Any) -> None:
        """Restart the service with the value that it had before; fine where it has that value."""
        take_back_variable(stack, service, variable, value_of(given), note(stack))

    def stops(stack: Stack) -> Sequence[str]:
        return [service]

    return WrongStep(id_, summary, typed, run, arguments, undo, stops)
