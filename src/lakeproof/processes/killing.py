"""kill -9 of components, and the wait until another process of each is healthy."""

from collections.abc import Iterable, Sequence
from contextlib import suppress

from lakeproof.deadline import Deadline
from lakeproof.errors import CouldNotLook
from lakeproof.processes.client import SupervisorClient
from lakeproof.processes.rows import ProcessRow
from lakeproof.processes.states import Health


def kill_and_await(client: SupervisorClient, names: Sequence[str], deadline: Deadline) -> None:
    """Kill all these components, then wait until each has a new process that is healthy.

    Raises: DeadlineExpired with the rows that were seen last; CouldNotLook where the supervisor does not answer.
    """
    before = [client.row(name) for name in names]
    for name in names:
        client.kill(name)
    await_replaced(client, before, deadline)


def await_replaced(client: SupervisorClient, before: Iterable[ProcessRow], deadline: Deadline) -> None:
    """Wait until each component has another pid than in `before`, and is healthy.

    The pid is compared because `ps` may show the old process for a moment after its end. A TaskManager is healthy
    once the JobManager knows it, under a name that belongs to this one start.
    Raises: DeadlineExpired with the rows that were seen last.
    """
    old = {row.name: row.pid for row in before}
    last: list[ProcessRow] = []

    def back() -> bool | None:
        with suppress(CouldNotLook):
            last[:] = [client.row(name) for name in old]
        new = [row.name for row in last if row.pid not in (None, old[row.name]) and row.health is Health.HEALTHY]
        return True if new == list(old) else None

    what = " and ".join(f"another {name} than pid {pid}" for name, pid in old.items())
    deadline.wait_for(f"{what} to be healthy", back, seen=lambda: "; ".join(map(str, last)))
