"""How often and how long: the supervisor's few times, in one place. Tests of the supervisor use a quicker one."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Pace:
    """Seconds.

    first_start: a component's first start may take so long, where its start_seconds are fewer: from a cold disk small
    programs in Python took over 30 s. ready: between two questions while it starts; health: between two afterwards;
    health_over_http: the same for one that answers HTTP, which blackbox-exporter asks as well, each second in a
    drill; suspect: after a failure; failures_to_unhealthy: so many in a row. restart_first: before a dead component
    is started again, doubling up to restart_longest while deaths come within restart_window of each other.
    give_up_unhealthy: `up` waits so long for an unhealthy one.
    """

    first_start: float = 120.0
    ready: float = 0.25
    health: float = 2.0
    health_over_http: float = 5.0
    suspect: float = 1.0
    failures_to_unhealthy: int = 3
    restart_first: float = 1.0
    restart_longest: float = 15.0
    restart_window: float = 60.0
    give_up_unhealthy: float = 20.0
