"""Running what a target needs, and ending it without residue.

`lakeproof up`: start components and what they need, in parallel; ends when all are healthy.
`lakeproof down`: stop the whole stack, and end whatever is left of it; safe to repeat.
`lakeproof start`: start one component, and what it needs, of the running stack.
`lakeproof stop`: stop one component cleanly; it stays stopped until `start` or `up`.
`lakeproof restart`: stop one component and start it again; alerts nobody.
`lakeproof kill`: send a signal to all processes of a component.
"""

import os
import time
from collections.abc import Sequence
from typing import Annotated

import typer

from lakeproof.cli.output import print_json, say
from lakeproof.errors import InvalidInput, LakeproofError
from lakeproof.processes.environment import service_variables
from lakeproof.processes.events import Event
from lakeproof.processes.rows import ProcessRow
from lakeproof.processes.states import Health
from lakeproof.processes.usage import UsageTable
from lakeproof.stack.stack import Stack, load_stack


class Progress:
    """Prints each event as one line: seconds since the command began, component, step, text."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    @property
    def seconds(self) -> float:
        """Seconds since the command began."""
        return time.monotonic() - self._began

    def __call__(self, event: Event) -> None:
        """Print the event on stderr."""
        if event.what == "progress":
            say(f"{self.seconds:6.1f} s  … {event.text or 'still at it'}")
        else:
            say(f"{self.seconds:6.1f} s  {event.component:<20} {event.what} {event.text}".rstrip())


def unheard(rows: Sequence[ProcessRow], stack: Stack) -> list[str]:
    """Warnings for the end of `up`, where Alertmanager runs and sends no alerts to Slack; else none."""
    from lakeproof.observability import alertmanager
    from lakeproof.observability.receivers import SLACK_URL

    if not any(row.name == "alertmanager" and row.pid is not None for row in rows):
        return []
    return [
        f"WARNING: {silence}; they do reach the incident desk (lakeproof incident list)"
        for silence in alertmanager.unheard(stack)
        if silence.startswith(SLACK_URL)
    ]


def memory_of(rows: Sequence[ProcessRow]) -> str:
    """The number of running components and their memory together: "26 components, 5.13 GiB"."""
    # Measured now: the supervisor's figures may be two seconds old, from the middle of the start.
    uses = UsageTable()
    running = {row.name: row.pid for row in rows if row.pid is not None}
    uses.look(running)
    rss_bytes = sum(uses.of(name).rss_bytes for name in running)
    return f"{len(running)} component{'' if len(running) == 1 else 's'}, {rss_bytes / 2**30:.2f} GiB"


def up(
    names: Annotated[
        list[str] | None, typer.Argument(help="components; without: the path of an order and what watches it")
    ] = None,
    scenario: Annotated[str | None, typer.Option("--for", help="what this scenario needs")] = None,
    every: Annotated[bool, typer.Option("--all", help="everything, also what is on demand")] = False,
    also: Annotated[
        list[str] | None, typer.Option("--with", help="a component besides, e.g. log-shipper (may be repeated)")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="the rows of `ps --json` when all is healthy")] = False,
) -> None:
    """Start components and what they need, by readiness, in parallel; ends when all are healthy and watched.

    What runs already is left alone. Every port is looked at before anything starts. Alerts go in the windows of
    the setting `timing` (production), and speak of nothing before it was first healthy. Exit 0 only when all that
    was asked for is healthy, and Prometheus, where it runs, knows that.
    """
    from lakeproof.observability.receivers import read_receivers
    from lakeproof.observability.reload import give_back_abandoned
    from lakeproof.observability.watched import await_watched
    from lakeproof.processes.client import SupervisorClient
    from lakeproof.scenarios.catalog import load_catalog
    from lakeproof.stack.installed import everything

    if sum((bool(names), scenario is not None, every)) > 1:
        raise InvalidInput("NAME…, --for and --all exclude each other", next_action="give one of them")
    stack = load_stack()
    client = SupervisorClient(stack)
    wanted: list[str] | None = names or None
    if scenario is not None:
        wanted = list(load_catalog(tuple(stack.settings.scenario_dirs)).scenario(scenario).components)
    elif every:
        wanted, left_out = everything(client.components.values())
        for name in left_out:
            say(f"left out, not installed: {name} (lakeproof setup --only {client.components[name].artifact})")
    if also:
        wanted = [*(client.default_names() if wanted is None else wanted), *also]
    read_receivers(os.environ)  # a wrong address is refused here, not in the log of Alertmanager's start
    progress = Progress()
    try:
        started = client.up(wanted, progress)
    except KeyboardInterrupt:
        say("no longer waiting; what was started goes on (lakeproof ps), lakeproof down ends it")
        raise
    say(f"{progress.seconds:6.1f} s  healthy: {', '.join(started) if started else 'all, nothing was missing'}")
    rows = client.ps()
    try:
        if renewed := give_back_abandoned(stack):
            told = " and ".join(renewed)
            say(f"{progress.seconds:6.1f} s  a drill was killed: its windows are taken out of {told}")
    except (LakeproofError, OSError) as error:  # the desk and the next `up` try again
        say(f"a drill was killed, and its windows are still in force: {error}")
    await_watched(stack, rows)
    say(f"{progress.seconds:6.1f} s  {memory_of(rows)}")
    for line in unheard(rows, stack):
        say(line)
    if any(row.name == "desk" and row.health == Health.HEALTHY for row in rows):
        say(f"{progress.seconds:6.1f} s  console: {stack.url('desk')}")
    if as_json:
        print_json([row.to_json() for row in rows])


def down() -> None:
    """Stop the whole stack in reverse order, and end whatever is left of it; safe to repeat.

    Works also when the supervisor itself was killed.
    """
    from lakeproof.processes.client import SupervisorClient

    progress = Progress()
    stopped = SupervisorClient(load_stack()).down(progress)
    if not stopped:
        say("nothing was running")
    for what in stopped:
        say(f"stopped {what}")


def start(name: Annotated[str, typer.Argument(help="a component")]) -> None:
    """Start one component (and what it needs) of the running stack; ends when it is healthy.

    SERVICE_…_URL of this shell are handed to it; SERVICE_ORDER_SERVICE_URL= (empty) switches that source of
    the support service off. So are LAKEPROOF_INVENTORY__RESERVATION_TTL_SECONDS,
    LAKEPROOF_SUPPORT__TIMELINE_CACHE_TTL_SECONDS and LAKEPROOF_NOTIFICATION__NOTIFICATION_RATE_LIMIT; and
    ALERTMANAGER_… to alertmanager.
    """
    from lakeproof.processes.ours import our_processes

    client = our_processes(load_stack(), f"start {name}")
    client.start(name, Progress(), variables=service_variables(os.environ, name))


def stop(name: Annotated[str, typer.Argument(help="a component")]) -> None:
    """Stop one component cleanly; it stays stopped until `start` or `up`."""
    from lakeproof.processes.ours import our_processes

    if not our_processes(load_stack(), f"stop {name}").stop(name, Progress()):
        say(f"{name} was not running")


def restart(name: Annotated[str, typer.Argument(help="a component")]) -> None:
    """Stop one component and start it again (and what it needs); ends when it is healthy. Alerts nobody."""
    from lakeproof.processes.ours import our_processes

    client = our_processes(load_stack(), f"restart {name}")
    client.restart(name, Progress(), variables=service_variables(os.environ, name))


def kill(
    name: Annotated[str, typer.Argument(help="a component")],
    signal: Annotated[str, typer.Option("--signal", help="KILL, STOP (pause), CONT (go on) or TERM")] = "KILL",
) -> None:
    """Send a signal to all processes of a component. What was killed is started again by the restart policy."""
    from lakeproof.processes.ours import our_processes

    sent = our_processes(load_stack(), f"send {signal} to {name}").kill(name, signal)
    say(f"{signal} sent to {sent} process{'' if sent == 1 else 'es'} of {name}")
