"""A component as the supervisor sees it."""

from lakeproof.deadline import Deadline
from lakeproof.processes.client import SupervisorClient


def await_health(
    client: SupervisorClient, name: str, word: str = "healthy", *, restarts: int = -1, seconds: float = 90.0
) -> None:
    """Until its health is `word` and it was restarted more than `restarts` times. Raises: DeadlineExpired."""

    def look() -> bool | None:
        row = client.row(name)
        return True if row.restarts > restarts and row.health == word else None

    Deadline(seconds).wait_for(f"{name} to be {word}", look, seen=lambda: str(client.row(name)))
