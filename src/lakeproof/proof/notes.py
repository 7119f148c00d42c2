"""What one check notes as it runs: what it could not look at, and when each step had ended."""

from collections.abc import Callable
from dataclasses import dataclass, field

from lakeproof.deadline import Deadline
from lakeproof.errors import LakeproofError


@dataclass(frozen=True)
class Notes:
    """progress: is called with lines for people. unknown: what could not be looked at, and why. left_out: what need
    not be looked at in this stack, and why. steps: seconds from the check's beginning to the end of each step.
    """

    progress: Callable[[str], None]
    unknown: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    steps: dict[str, float] = field(default_factory=dict)
    time: Deadline = field(default_factory=lambda: Deadline(float("inf")))

    def looked[T](self, what: str, look: Callable[[], T]) -> T | None:
        """The result of `look`. Where `look` raises: None, and the reason is noted as unknown."""
        try:
            return look()
        except (LakeproofError, OSError) as error:
            self.failed(what, error)
            return None

    def failed(self, what: str, error: LakeproofError | OSError) -> None:
        """Note why `what` could not be looked at."""
        told = error.message if isinstance(error, LakeproofError) else f"{what}: {error}"
        self.unknown.append(told if what in told else f"{what}: {told}")

    def ended(self, step: str) -> None:
        """Note that this step has ended."""
        self.steps[step] = round(self.time.elapsed, 2)
