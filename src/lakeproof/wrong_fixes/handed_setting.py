"""The base of wrong steps that restart a service with one setting changed, which mends nothing."""

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from lakeproof.processes.handed_variable import last_handed, lend_variable, start_by_hand, take_back_variable
from lakeproof.stack.stack import Stack
from lakeproof.wrong_fixes.wrong_step import WrongStep


class HandedSetting(WrongStep, abstract=True):
    """Restarts `service` with another value of `variable`. The step's one field is that value.

    after: what the step says after its run, with the placeholders {service} and {value}.
    """

    service: ClassVar[str]
    variable: ClassVar[str]
    after: ClassVar[str]

    @property
    def value(self) -> str:
        """The new value, as the service's environment gets it."""
        (field,) = type(self).model_fields
        return str(getattr(self, field))

    def typed(self, stack: Stack) -> str:
        """The same by hand; `lakeproof start` passes on the variables that the shell has set."""
        start = start_by_hand(self.service, last_handed(stack, self.service) | {self.variable: self.value})
        return f"lakeproof stop {self.service}; {start}"

    def run(self, stack: Stack) -> str:
        """Restart the service with the value; returns once healthy, at once if it has it. Raises: LakeproofError."""
        lend_variable(stack, self.service, self.variable, self.value, self._note(stack))
        return self.after.format(service=self.service, value=self.value)

    def undo(self, stack: Stack) -> None:
        """Restart the service with the value that it had before; fine where it has that value."""
        take_back_variable(stack, self.service, self.variable, self.value, self._note(stack))

    def stops(self, stack: Stack) -> Sequence[str]:
        """The service."""
        return [self.service]

    def _note(self, stack: Stack) -> Path:
        """The file that keeps the value that the service was started with before."""
        return stack.data_dir(self.service) / f"before-{self.id}"
