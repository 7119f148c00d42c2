"""How often the supervisor asks, and how long it waits. Tests of the supervisor use a quicker pace."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Pace:
    """The supervisor's times, in seconds.

    first_start: what a component's first start may take, where its start_seconds are fewer: from a cold disk small
        programs in Python took over 30 s.
    ready: the pause between two readiness questions while a component starts; health: the pause afterwards.
    health_over_http: instead of `health` for a component that answers HTTP: blackbox-exporter asks it as well, each
        second in a drill.
    suspect: the pause after a failed question. failures_to_unhealthy: a count, of failures in a row.
    restart_first: the pause before a dead component is started again. It doubles up to restart_longest while the
        component dies again within restart_window of its restart.
    give_up_unhealthy: how long `up` waits for a component that is unhealthy.
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
