"""The states of a supervised component, which state may follow which, and the health words.

State says what the supervisor does with the component, Health what the component itself answers.
"""

from enum import StrEnum


class State(StrEnum):
    """Where a component stands."""

    WAITING = "waiting"  # for components that it needs
    PREPARING = "preparing"  # its `prepare` runs
    RUNNING = "running"  # its process exists
    PAUSED = "paused"  # its process exists, but is stopped by a signal (SIGSTOP); seen, never set
    EXITED = "exited"  # its process ended unasked; it is started again after a pause
    FAILED = "failed"  # a start cannot succeed without somebody's help; not tried again by itself
    STOPPING = "stopping"  # its goodbye and its stop signal are under way
    STOPPED = "stopped"  # ended on purpose


class Health(StrEnum):
    """What a running component answers."""

    NONE = ""  # nothing runs, so nothing can answer
    STARTING = "starting"  # not ready yet, or not provisioned yet
    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"  # was asked several times in a row and did not answer
    UNKNOWN = "unknown"  # somebody else's server that cannot be asked: a password is missing, or no question is known


FOLLOWS: dict[State, frozenset[State]] = {
    State.STOPPED: frozenset({State.WAITING}),
    State.WAITING: frozenset({State.PREPARING, State.STOPPING, State.FAILED, State.EXITED}),
    State.PREPARING: frozenset({State.RUNNING, State.EXITED, State.FAILED, State.STOPPING}),
    State.RUNNING: frozenset({State.EXITED, State.FAILED, State.STOPPING}),
    State.EXITED: frozenset({State.WAITING, State.STOPPING}),
    State.FAILED: frozenset({State.WAITING, State.STOPPING}),
    State.STOPPING: frozenset({State.STOPPED}),
}
"""The one transition table (PAUSED is a view of RUNNING and never stored)."""


def may_follow(before: State, after: State) -> bool:
    """True when the table allows `after` right after `before`; staying is always allowed."""
    return before == after or after in FOLLOWS.get(before, frozenset())
