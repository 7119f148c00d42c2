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
    """arguments: of one field, the variable's value. told: what the step says it did; {service} and {value}."""
    (field,) = arguments.model_fields

    def value_of(given: Any) -> str:
        return str(getattr(given, field))

    def note(stack: Stack) -> Path:
        """Keeps what the service was started with before."""
        return stack.data_dir(service) / f"before-{id_}"

    def typed(stack: Stack, given: Any) -> str:
        """The same by hand; `start` hands on what this shell has set."""
        start = start_by_hand(service, last_handed(stack, service) | {variable: value_of(given)})
        return f"lakeproof stop {service}; {start}"

    def run(stack: Stack, given: Any) -> str:
        """Restart it so, and return once it is healthy; fine where it has that. Raises: LakeproofError."""
        lend_variable(stack, service, variable, value_of(given), note(stack))
        return told.format(service=service, value=value_of(given))

    def undo(stack: Stack, given: Any) -> None:
        """Restart it with what it had; fine where it has that."""
        take_back_variable(stack, service, variable, value_of(given), note(stack))

    def stops(stack: Stack) -> Sequence[str]:
        return [service]

    return WrongStep(id_, summary, typed, run, arguments, undo, stops)
