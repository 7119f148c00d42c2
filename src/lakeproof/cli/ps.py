"""`lakeproof ps`: what runs, how it does, what it uses, and what a start-up waited for."""

from typing import TYPE_CHECKING, Annotated

import typer

from lakeproof.cli.output import print_json, print_table, say
from lakeproof.errors import CouldNotLook

if TYPE_CHECKING:
    from lakeproof.stack.stack import Stack


def add_to(app: typer.Typer) -> None:
    """The command."""

    @app.command()
    def ps(
        as_json: Annotated[bool, typer.Option("--json", help="for scripts")] = False,
        slow: Annotated[
            bool, typer.Option("--slow", help="the chain of steps that the last start-up waited for")
        ] = False,
    ) -> None:
        """Name, state, health, pid, memory, CPU, restarts of every component that was started; main's freshness.

        Exit 0 also where the stack does not run; 3 when its supervisor died: what still runs is shown then.
        """
        from lakeproof.processes.client import SupervisorClient
        from lakeproof.processes.states import Health
        from lakeproof.stack.stack import load_stack

        client = SupervisorClient(load_stack())
        left_over = client.left_over()
        if client.died() or left_over:
            for process in left_over:
                say(f"still runs: {process}")
            raise CouldNotLook(
                f"its supervisor is dead; {len(left_over)} of its processes still run",
                where=f"stack {client.stack.name}",
                next_action="lakeproof up (goes on), or lakeproof down (ends the rest)",
            )
        if not client.running():
            say(f"stack {client.stack.name} is not running")
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
            print(freshness(client.stack))


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
