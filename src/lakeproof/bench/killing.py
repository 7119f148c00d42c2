"""kill -9 of components, and the wait until each runs anew and is healthy."""

from collections.abc import Sequence

from lakeproof.deadline import Deadline
from lakeproof.processes.client import SupervisorClient
from lakeproof.processes.states import Health


def kill_and_await(client: SupervisorClient, names: Sequence[str], deadline: Deadline) -> None:
    """Kill them all, then wait for new processes that are healthy. Raises: DeadlineExpired, CouldNotLook."""
    before = {name: client.row(name).pid for name in names}
    for name in names:
        client.kill(name)

    def back() -> bool | None:
        rows = [client.row(name) for name in names]
        new = all(row.pid not in (None, before[row.name]) and row.health is Health.HEALTHY for row in rows)
        return True if new else None

    deadline.wait_for(f"{' and '.join(names)} to be back", back)
