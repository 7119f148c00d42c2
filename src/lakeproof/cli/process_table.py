"""Prints what `lakeproof ps` shows, without loading Typer or the settings' library (app.py says why)."""

from collections.abc import Collection

from lakeproof.cli.output import print_json, print_table, say
from lakeproof.errors import CouldNotLook
from lakeproof.processes import lock
from lakeproof.processes.states import Health, State
from lakeproof.processes.supervisor import Supervisor
from lakeproof.stack.place import Located, find_place


def show(*, as_json: bool, slow: bool) -> None:
    """Print what runs, or with `slow` what the last start-up waited for. Raises: InvalidInput, CouldNotLook."""
    place: Located = find_place() or _whole_stack()
    client = Supervisor(place)
    left_over = client.left_over()
    # The processes of a supervisor that is just starting are no left-overs, although it does not hold its lock yet.
    turn = lock.turn_for(place)
    if (client.died() or left_over) and not (turn or client.running()):
        for process in left_over:
            say(f"still runs: {process}")
        raise CouldNotLook(
            f"its supervisor is dead; {len(left_over)} of its processes still run",
            where=f"stack {place.name}",
            next_action="lakeproof up (goes on), or lakeproof down (ends the rest)",
        )
    if not client.running():
        state = {"start": "being started", "reset": "being reset"}.get(turn, "not running")
        say(f"stack {place.name} is {state}")
        if as_json:
            print_json([])
        return
    if slow:
        chain = client.chain()
        if as_json:
            print_json([vars(step) for step in chain])
        else:
            print_table(
                ("At", "Component", "Step", "Seconds"),
                [(f"{step.until:.1f} s", step.component, step.what, f"{step.seconds:.1f}") for step in chain],
            )
        return
    rows = client.ps()
    if as_json:
        print_json([row.to_json() for row in rows])
        return
    print_table(
        ("Name", "State", "Health", "pid", "RSS", "CPU", "Restarts", "Ready", "Why not healthy"),
        [
            (
                row.name,
                row.state,
                row.health,
                row.pid,
                f"{row.rss_bytes / 1e6:.0f} MB",
                f"{row.cpu_percent:.0f} %",
                row.restarts,
                f"{row.ready_seconds:.1f} s" if row.ready_seconds is not None else "",
                row.reason,
            )
            for row in rows
        ],
    )
    nessie = next((row for row in rows if row.name == "nessie" and row.health == Health.HEALTHY), None)
    if nessie is not None:
        print(freshness(nessie.endpoints["http"], {row.name for row in rows if row.state != State.STOPPED}))


def freshness(nessie: str, components: Collection[str]) -> str:
    """How old the data on `main` is, by database: the age of its newest heartbeat, whenever that was published.

    nessie: host:port. components: the names of those that run or are to run. A database whose capture component is
    not among them is left out.
    """
    from lakeproof.lake.publish.main_now import states_on_main
    from lakeproof.lake.sources.source import SOURCES

    try:
        states = states_on_main(nessie)
    except CouldNotLook as error:
        return f"how old main's data is, is not known: {error.message}"
    if not states:
        return "main shows no data yet"
    told = []
    for source in SOURCES:
        if source.capture is None or source.capture in components:
            age = states[source.name].age_seconds() if source.name in states else None
            told.append(f"{source.name} {'unknown' if age is None else f'{age:.1f} s'}")
    return f"age of the data on main: {', '.join(told)}"


def _whole_stack() -> Located:
    """The stack with all its settings read and checked. Raises: InvalidInput."""
    from lakeproof.stack.stack import load_stack

    return load_stack()
