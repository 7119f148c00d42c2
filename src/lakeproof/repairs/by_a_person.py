"""A repair that a person ordered: its steps are run, and the incident's timeline gets a line for each."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from lakeproof.diagnosis.cause import Step
from lakeproof.errors import InvalidInput, LakeproofError
from lakeproof.incidents.client import PATIENCE_SECONDS, new_key, until_kept
from lakeproof.mitigations.mitigation import Mitigation
from lakeproof.repairs.running import StepDone, mend
from lakeproof.stack.stack import Stack


class Timeline(Protocol):
    """The desk's one call that a person's repair needs (incidents/client.py)."""

    def change(self, name: str, act: str, **fields: Any) -> dict[str, Any]:
        """Move an incident, or add a line to its timeline."""


@dataclass(frozen=True)
class Line:
    """A step's entry in the incident's timeline. key: the desk keeps one entry for each key (incidents/client.py)."""

    step: StepDone
    key: str

    @property
    def text(self) -> str:
        """The step in words, its outcome, and what was found."""
        return f"{self.step.in_words}: {self.step.outcome.value}, {self.step.text}"


class _Lines:
    """The lines of one repair, in order. While the desk does not answer, they wait and are sent with the next one."""

    def __init__(
        self, desk: Timeline, incident: str, who: str, tell: Callable[[str], None], patience_seconds: float
    ) -> None:
        self._desk, self._incident, self._who, self._tell = desk, incident, who, tell
        self._patience_seconds = patience_seconds
        self._waiting: list[Line] = []
        self._refused: list[Line] = []

    @property
    def lost(self) -> list[Line]:
        """The lines that are not known to stand in the timeline."""
        return self._refused + self._waiting

    def add(self, line: Line) -> None:
        """Send a line to the desk. Only the first line of an outage waits for the desk; later ones try once.

        Raises nothing: the step was run, and the next step must not depend on the desk.
        """
        patience_seconds = 0.0 if self._waiting else self._patience_seconds
        self._waiting.append(line)
        try:
            until_kept(self._send, self._tell, patience_seconds)
        except LakeproofError as error:
            # Not `error.message`: its next action would be to run the whole command again, the repair included.
            self._tell(f"not told to {self._incident}: {error.what}")

    def _send(self) -> None:
        while self._waiting:
            line = self._waiting[0]
            try:
                self._desk.change(self._incident, "note", who=self._who, kind="action", text=line.text, key=line.key)
            except InvalidInput as error:
                self._refused.append(line)
                self._tell(f"not told to {self._incident}: {error.message}")
            del self._waiting[0]


def repair(
    stack: Stack,
    desk: Timeline,
    incident: str,
    steps: Sequence[Step],
    mitigations: Mapping[str, type[Mitigation]],
    *,
    who: str,
    tell: Callable[[str], None],
    patience_seconds: float = PATIENCE_SECONDS,
) -> tuple[list[StepDone], list[Line]]:
    """Run the steps until one fails, and write each into the incident's timeline, the failed one too.

    Gives what each step came to, and the lines that the desk did not take. A desk that goes away after the first call
    is waited for, once, for `patience_seconds`. Then the remaining steps run all the same, and the waiting lines are
    sent with the next line that the desk takes.
    Raises: InvalidInput for a wrong argument; CouldNotLook where the desk does not answer before the first step.
    """
    all_done: list[StepDone] = []
    lines = _Lines(desk, incident, who, tell, patience_seconds)

    def done(step: StepDone) -> None:
        all_done.append(step)
        line = Line(step, new_key())
        tell(line.text)
        lines.add(line)

    desk.change(incident, "mitigate", who=who, text=", ".join(step.id for step in steps))
    mend(stack, mitigations, [steps], lambda typed: None, tell, done)
    return all_done, lines.lost
