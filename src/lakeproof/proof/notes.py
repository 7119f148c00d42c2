"""What one check notes on its way: what it could not look at, and when each step had ended."""

from collections.abc import Callable
from dataclasses import dataclass, field

from lakeproof.deadline import Deadline
from lakeproof.errors import LakeproofError


@dataclass(frozen=True)
class Notes:
    """progress: is told what goes on. unknown: what could not be looked at, and why. left_out: what need not be
    looked at in this stack, and why. steps: seconds since the check began.
    """

    progress: Callable[[str], None]
    unknown: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    steps: dict[str, float] = field(default_factory=dict)
    time: Deadline = field(default_factory=lambda: Deadline(float("inf")))

    def looked[T](self, what: str, look: Callable[[], T]) -> T | None:
        """What `look` gives. Where `look` could not look: None, and the reason is noted."""
        try:
            return look()
        except (LakeproofError, OSError) as error:
            self.failed(what, error)
            return None

    def failed(self, what: str, error: LakeproofError | OSError) -> None:
        """Note why it could not be looked there."""
        told = error.message if isinstance(error, LakeproofError) else f"{what}: {error}"
        self.unknown.append(told if what in told else f"{what}: {told}")

    def ended(self, step: str) -> None:
        """Note that this step has ended."""
        self.steps[step] = round(self.time.elapsed, 2)
