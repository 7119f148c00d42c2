"""Decides when `up` waits for a component no longer, and makes the error that says why."""

from typing import TYPE_CHECKING

from lakeproof.errors import TerminalError
from lakeproof.processes.states import Health, State

if TYPE_CHECKING:
    from lakeproof.processes.keeper import Keeper

FAILED_STARTS_TO_GIVE_UP = 3


class StartFailed(TerminalError):
    """A component did not become healthy. `log_lines`: the last lines of its log."""

    def __init__(self, component: str, reason: str, log_path: str, log_lines: list[str]) -> None:
        self.component, self.reason, self.log_path, self.log_lines = component, reason, log_path, log_lines
        super().__init__(
            f"did not become healthy: {reason}", where=component, next_action=f"lakeproof logs {component}"
        )

    @property
    def message(self) -> str:
        """What, where, next, and then the last lines of the log."""
        if not self.log_lines:
            return super().message
        shown = "\n".join(f"  | {line}" for line in self.log_lines)
        return f"{super().message}\nlast lines of {self.log_path}:\n{shown}"


def gave_up(keeper: "Keeper") -> bool:
    """True when `up` should wait for the component no longer; the supervisor itself goes on trying."""
    if keeper.healthy:
        return False
    return (
        keeper.state in (State.FAILED, State.STOPPING, State.STOPPED)
        or keeper.tries.too_slow
        or keeper.tries.failures >= FAILED_STARTS_TO_GIVE_UP
        or (keeper.health == Health.UNHEALTHY and keeper.paused)
        or (keeper.tries.failures == 0 and keeper.condition.unhealthy_seconds > keeper.context.pace.give_up_unhealthy)
    )


def describe_failure(keeper: "Keeper") -> StartFailed:
    """The error that names the component, why it is not healthy, and the last lines of its log."""
    path = str(keeper.context.stack.log_path(keeper.name))
    return StartFailed(keeper.name, keeper.condition.reason or str(keeper.state), path, keeper.log_tail())
