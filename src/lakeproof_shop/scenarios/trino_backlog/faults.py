"""Faults of the scenario trino-backlog."""

from typing import Annotated, Self

import httpx
from pydantic import AfterValidator, Field, model_validator

from lakeproof.errors import CouldNotLook, TerminalError
from lakeproof.faults.fault import Fault, Sign
from lakeproof.lake.query.trino_queries import Query, kill, queries
from lakeproof.processes.client import SupervisorClient
from lakeproof.stack.engines.trino import NAME, PLATFORM_PREFIX, USER_QUEUED, USER_RUNNING
from lakeproof.stack.stack import Stack

SECONDS = 15.0

# Trino gives up a query whose client has asked for nothing for this long.
GIVEN_UP_SECONDS = 300.0

SOURCE = "lakeproof-fault"

SQL = """\
SELECT a.x, b.x, c.x, d.x FROM UNNEST(sequence(1, 10000)) a(x) CROSS JOIN UNNEST(sequence(1, 10000)) b(x)
CROSS JOIN UNNEST(sequence(1, 10000)) c(x) CROSS JOIN UNNEST(sequence(1, 10000)) d(x)"""


def _outside(user: str) -> str:
    if user.startswith(PLATFORM_PREFIX):
        raise ValueError("the platform's own users share a group that is not to be flooded")
    return user


type User = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_.-]{0,30}$"), AfterValidator(_outside)]


class FloodedResourceGroup(Fault):
    """Let one user of Trino ask for far more queries than its group may run.

    One user of Trino asks for far more than its resource group may run: some queries run on and on, the others wait.

    The queries are cross joins without an end whose rows nobody fetches. So they keep their places, and take hardly
    any CPU once their buffers are full. (On a small machine a busy CPU would slow down everything, and hide the
    queue.) Trino gives up a query whose client is silent for five minutes; the fault then ends by itself.

    Another user's query of the same kind runs beside them, in a group of its own: a repair must leave it alone.

    `user`: who asks; none of the platform's own users. `beside`: another user, who runs one query meanwhile.

    `queries`: how many at once; by default more than the group may run.
    """

    user: User = "analyst"
    queries: int = Field(USER_RUNNING + 9, ge=1, le=USER_RUNNING + USER_QUEUED)
    beside: User = "reporter"

    @model_validator(mode="after")
    def _two_users(self) -> Self:
        if self.beside == self.user:
            raise ValueError("beside: another user than the flooding one")
        return self

    def inject(self, stack: Stack) -> None:
        """Ask for the missing queries: those that are there already count."""
        there = _mine(stack, self.user, self.beside)
        wanted = {self.beside: 1, self.user: self.queries}
        missing = [
            user for user, count in wanted.items() for _ in range(count - sum(one.user == user for one in there))
        ]
        try:
            with httpx.Client(timeout=SECONDS, headers={"X-Trino-Source": SOURCE}, trust_env=False) as client:
                for user in missing:
                    client.headers["X-Trino-User"] = user
                    page = client.post(f"{stack.url(NAME)}/v1/statement", content=SQL).raise_for_status().json()
                    # Trino makes the query only once its client asks for the first page.
                    client.get(page["nextUri"]).raise_for_status()
        except (httpx.HTTPError, ValueError, KeyError) as error:
            raise TerminalError(
                f"{type(error).__name__}: {error}", where=NAME, next_action="lakeproof up trino"
            ) from error

    def remove(self, stack: Stack) -> None:
        """End the fault's queries, and no others of the same users; safe where Trino does not run.

        Raises: CouldNotLook where it runs and gives no answer: the queries may go on then.
        """
        try:
            found = _mine(stack, self.user, self.beside)
        except CouldNotLook:
            if _runs(stack):
                raise
            return
        kill(stack, found)

    def sign(self, stack: Stack) -> Sign:
        """Queries of the fault wait for a place; or all of them run, where there is a place for each."""
        mine = _mine(stack, self.user)
        waiting = sum(one.waits for one in mine)
        told = f"{len(mine) - waiting} queries of {self.user} run, {waiting} wait"
        return Sign(waiting > 0 or USER_RUNNING >= self.queries <= len(mine), told)

    def lasts(self) -> float:
        """As the base."""
        return GIVEN_UP_SECONDS


def _runs(stack: Stack) -> bool:
    """False only where Trino is ours and has no process."""
    if stack.settings.mode == "external":
        return True
    client = SupervisorClient(stack)
    return client.running() and client.row(NAME).pid is not None


def _mine(stack: Stack, *users: str) -> list[Query]:
    return [one for one in queries(stack, SECONDS) if one.user in users and one.source == SOURCE and one.lives]
