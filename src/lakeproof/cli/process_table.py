"""What `lakeproof ps` prints. Typer is not loaded here, nor the settings' library (app.py says why)."""

from typing import TYPE_CHECKING

from lakeproof.cli.output import print_json, print_table, say
from lakeproof.errors import CouldNotLook
from lakeproof.processes import lock
from lakeproof.processes.states import Health
from lakeproof.processes.supervisor import Supervisor
from lakeproof.stack.place import Located, find_place

if TYPE_CHECKING:
    from lakeproof.stack.stack import Stack


def show(*, as_json: bool, slow: bool) -> None:
    """Print what runs, or with `slow` what the last start-up waited for. Raises: InvalidInput, CouldNotLook."""
    place: Located = find_place() or _whole_stack()
    client = Supervisor(place)
    left_over = client.left_over()
    # A supervisor that is just being started has no lock yet, and is no left-over of a dead one.
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
    if any(row.name == "nessie" and row.health == Health.HEALTHY for row in rows):
        print(freshness(_whole_stack()))


def freshness(stack: "Stack") -> str:
    """How old the data on `main` is, by database: the age of its newest heartbeat, whenever that was published."""
    from lakeproof.lake.publish.history import NothingPublished, newest
    from lakeproof.lake.sources.source import present

    try:
        commit = newest(stack)
    except NothingPublished:
        return "main shows no data yet"
    except CouldNotLook as error:
        return f"how old main's data is, is not known: {error.message}"
    ages = {database.name: commit.age_seconds(database.name) for database in present(stack)}
    told = [f"{name} {'unknown' if age is None else f'{age:.1f} s'}" for name, age in ages.items()]
    return f"age of the data on main: {', '.join(told)}"


def _whole_stack() -> "Stack":
    """The stack with all its settings, read and checked. Raises: InvalidInput."""
    from lakeproof.stack.stack import load_stack

    return load_stack()
