"""Makes a wrong step that restarts a service with one setting changed, which mends nothing."""

from collections.abc import Sequence
from typing import Any

from lakeproof.arguments import Arguments
from lakeproof.processes.handed_variable import (
    hand_variable,
    handed_variables,
    last_handed,
    start_by_hand,
    take_back_variable,
)
from lakeproof.processes.ours import our_processes
from lakeproof.stack.stack import Stack
from lakeproof.wrong_fixes.wrong_step import WrongStep


def handed_setting(
    id_: str, summary: str, service: str, variable: str, arguments: type[Arguments], told: str
) -> WrongStep:
    """arguments: of one field, the variable's value. told: what the step says it did; {service} and {value}."""
    (field,) = arguments.model_fields

    def value_of(given: Any) -> str:
        return str(getattr(given, field))

    def typed(stack: Stack, given: Any) -> str:
        """The same by hand; `start` hands on what this shell has set."""
        start = start_by_hand(service, last_handed(stack, service) | {variable: value_of(given)})
        return f"lakeproof stop {service}; {start}"

    def run(stack: Stack, given: Any) -> str:
        """Restart it so, and return once it is healthy; fine where it has that. Raises: LakeproofError."""
        our_processes(stack, f"restart {service}")
        if handed_variables(stack, service).get(variable) != value_of(given):
            hand_variable(stack, service, variable, value_of(given))
        return told.format(service=service, value=value_of(given))

    def undo(stack: Stack, given: Any) -> None:
        """Restart it with the stack's own setting; fine where it has that."""
        take_back_variable(stack, service, variable)

    def stops(stack: Stack) -> Sequence[str]:
        return [service]

    return WrongStep(id_, summary, typed, run, arguments, undo, stops)
