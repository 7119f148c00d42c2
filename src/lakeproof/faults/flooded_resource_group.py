"""One user of Trino asks for far more than its resource group may run: some queries run on and on, the others wait.

The queries are cross joins without an end whose rows nobody fetches. So they keep their places, and take hardly any
CPU once their buffers are full: on a small machine a busy CPU would slow down everything, and the queue would not be
what is seen. Trino gives up a query whose client is silent for five minutes; the fault then ends by itself.
"""

from typing import Annotated

import httpx
from pydantic import AfterValidator, Field

from lakeproof.arguments import Arguments
from lakeproof.errors import CouldNotLook, TerminalError
from lakeproof.faults.fault import Fault, Sign
from lakeproof.lake.query.trino_queries import Query, kill, queries
from lakeproof.processes.client import SupervisorClient
from lakeproof.stack.engines.trino import NAME, PLATFORM_PREFIX, USER_QUEUED, USER_RUNNING
from lakeproof.stack.stack import Stack

SECONDS = 15.0
SOURCE = "lakeproof-fault"
SQL = """\
SELECT a.x, b.x, c.x, d.x FROM UNNEST(sequence(1, 10000)) a(x) CROSS JOIN UNNEST(sequence(1, 10000)) b(x)
CROSS JOIN UNNEST(sequence(1, 10000)) c(x) CROSS JOIN UNNEST(sequence(1, 10000)) d(x)"""


def _outside(user: str) -> str:
    if user.startswith(PLATFORM_PREFIX):
        raise ValueError("the platform's own users share a group that is not to be flooded")
    return user


class FloodedResourceGroup(Arguments):
    """`user`: who asks; none of the platform's own. `queries`: how many at once, more than the group may run."""

    user: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_.-]{0,30}$"), AfterValidator(_outside)] = "analyst"
    queries: int = Field(USER_RUNNING + 9, gt=USER_RUNNING, le=USER_RUNNING + USER_QUEUED)


def inject(stack: Stack, arguments: FloodedResourceGroup) -> None:
    """Ask for what is missing: queries that are there already are counted."""
    headers = {"X-Trino-User": arguments.user, "X-Trino-Source": SOURCE}
    try:
        with httpx.Client(timeout=SECONDS, headers=headers, trust_env=False) as client:
            for _ in range(arguments.queries - len(_mine(stack, arguments))):
                page = client.post(f"{stack.url(NAME)}/v1/statement", content=SQL).raise_for_status().json()
                # Trino makes the query only once its client asks for the first page.
                client.get(page["nextUri"]).raise_for_status()
    except (httpx.HTTPError, ValueError, KeyError) as error:
        raise TerminalError(
            f"{type(error).__name__}: {error}", where=NAME, next_action="lakeproof up trino"
        ) from error


def remove(stack: Stack, arguments: FloodedResourceGroup) -> None:
    """End these queries, and none that the same user asked for otherwise; fine where Trino does not run.

    Raises: CouldNotLook where it runs and gives no answer: the queries may go on then.
    """
    try:
        found = _mine(stack, arguments)
    except CouldNotLook:
        if _runs(stack):
            raise
        return
    kill(stack, found)


def _runs(stack: Stack) -> bool:
    """False only where it is ours and has no process."""
    if stack.settings.mode == "external":
        return True
    client = SupervisorClient(stack)
    return client.running() and client.row(NAME).pid is not None


def sign(stack: Stack, arguments: FloodedResourceGroup) -> Sign:
    """Queries of the fault wait for a place."""
    mine = _mine(stack, arguments)
    waiting = sum(one.waits for one in mine)
    return Sign(waiting > 0, f"{len(mine) - waiting} queries of {arguments.user} run, {waiting} wait")


def _mine(stack: Stack, arguments: FloodedResourceGroup) -> list[Query]:
    return [
        one for one in queries(stack, SECONDS) if one.user == arguments.user and one.source == SOURCE and one.lives
    ]


FAULT = Fault(
    "flooded_resource_group",
    "let one user of Trino ask for far more queries than its group may run",
    inject,
    remove,
    sign,
    FloodedResourceGroup,
)
