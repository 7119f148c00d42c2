"""Requests to Kafka Connect's REST API: a connector's state, waiting for a state, restarts."""

from collections.abc import Mapping
from typing import Any

import httpx

from lakeproof.deadline import Deadline
from lakeproof.errors import CouldNotLook, DeadlineExpired, NotReady, TerminalError
from lakeproof.stack import loopback
from lakeproof.stack.stack import Stack

PATIENCE_SECONDS = 20.0
ASK_SECONDS = 5.0
# A task that was started has to say RUNNING at this many looks, this far apart. A task that fails again fails at its
# login or first record, and says RUNNING until then.
CALM_LOOKS, CALM_SECONDS = 3, 1.0
CONFLICT = 409  # the worker is rebalancing: again a moment later


def send(
    stack: Stack,
    method: str,
    path: str,
    *,
    body: Mapping[str, Any] | None = None,
    absent_is_fine: bool = False,
    patience_seconds: float = PATIENCE_SECONDS,
    ask_seconds: float = ASK_SECONDS,
) -> Any:
    """One request, repeated while the worker rebalances or does not answer; gives the JSON of its answer, or None.

    patience_seconds: for all attempts together. ask_seconds: for one answer.
    Raises: TerminalError where it is refused (404 too, unless `absent_is_fine`), DeadlineExpired without an answer.
    """
    url = f"{stack.url('connect')}{path}"

    def once() -> httpx.Response:
        try:
            answer = loopback.request(method, url, timeout=ask_seconds, json=body)
        except httpx.HTTPError as error:
            raise NotReady(f"no answer: {type(error).__name__}", where=url) from error
        if answer.status_code == CONFLICT or answer.status_code >= 500:
            raise NotReady(f"answered {answer.status_code} {_message(answer)}".rstrip(), where=url)
        return answer

    answer = Deadline(patience_seconds).wait_for(f"{method} {path}", once)
    if answer.status_code == 404 and absent_is_fine:
        return None
    if answer.status_code >= 400:
        raise TerminalError(
            f"{method} {path} answered {answer.status_code}: {_message(answer)}",
            where="connect",
            next_action="correct the connector's file" if body else "GET /connectors shows what is there",
        )
    return answer.json() if answer.content else None


def _message(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["message"])[:400]
    except (ValueError, KeyError, TypeError):
        return answer.text[:200]


def state_of(stack: Stack, connector: str) -> str | None:
    """RUNNING, PAUSED, STOPPED, FAILED or UNASSIGNED; None where there is no such connector. Raises: as `send`."""
    status = send(stack, "GET", f"/connectors/{connector}/status", absent_is_fine=True)
    return None if status is None else str(status["connector"]["state"])


def states_in(status: Mapping[str, Any]) -> set[str]:
    """The states of a connector and of its tasks, by Connect's answer to /connectors/NAME/status."""
    return {str(status["connector"]["state"]), *(str(task["state"]) for task in status["tasks"])}


def await_state(
    stack: Stack,
    connector: str,
    wanted: str,
    seconds: float = PATIENCE_SECONDS,
    *,
    looks: int = 1,
    every: float = 0.25,
) -> None:
    """Wait until the connector, and its task if it has one, says `wanted` at `looks` looks in a row.

    Raises: DeadlineExpired with what it said.
    """
    seen, in_a_row = "nothing yet", 0

    def look() -> bool | None:
        nonlocal seen, in_a_row
        before, in_a_row = in_a_row, 0
        status = send(stack, "GET", f"/connectors/{connector}/status", absent_is_fine=True, patience_seconds=2)
        if status is None:
            seen = "no such connector"
            return None
        states = states_in(status)
        seen = " ".join(sorted(states))
        if states == {wanted} and (status["tasks"] or wanted == "STOPPED"):
            in_a_row = before + 1
        return True if in_a_row >= looks else None

    Deadline(seconds).wait_for(f"connector {connector} to be {wanted}", look, every=every, seen=lambda: seen)


def await_running(stack: Stack, connector: str, seconds: float = PATIENCE_SECONDS) -> str:
    """Wait until connector and task stay RUNNING, which is what a repair waits for; gives that in words.

    Raises: DeadlineExpired with what they said.
    """
    await_state(stack, connector, "RUNNING", seconds, looks=CALM_LOOKS, every=CALM_SECONDS)
    return f"connector {connector} and its task are RUNNING, {CALM_LOOKS} looks in a row"


def restart(stack: Stack, connector: str, *, only_failed: bool, absent_is_fine: bool = False) -> None:
    """Restart the connector and its task, or only what has failed."""
    query = f"includeTasks=true&onlyFailed={str(only_failed).lower()}"
    send(stack, "POST", f"/connectors/{connector}/restart?{query}", absent_is_fine=absent_is_fine)


def await_begun_anew(stack: Stack, connector: str, seconds: float = PATIENCE_SECONDS) -> None:
    """After `restart` of a running connector: wait until its task was seen not to run, then until all stay RUNNING.

    Connect restarts later than it answers, and tells the old task's RUNNING until then.
    Raises: CouldNotLook where the task was RUNNING at every look; DeadlineExpired where it does not stay RUNNING.
    """

    def stopped() -> bool | None:
        status = send(stack, "GET", f"/connectors/{connector}/status", patience_seconds=2)
        return None if any(task["state"] == "RUNNING" for task in status["tasks"]) else True

    try:
        Deadline(PATIENCE_SECONDS).wait_for(f"connector {connector} to restart", stopped, every=0.05)
    except DeadlineExpired as error:
        raise CouldNotLook("nothing shows that it was restarted", where=f"connector {connector}") from error
    await_running(stack, connector, seconds)


def restart_failed(stack: Stack, connector: str) -> None:
    """Restart what says FAILED, and return once connector and task stay RUNNING.

    A connector that is paused, stopped or absent has not failed, and is left alone.

    Raises: DeadlineExpired where it fails again.
    """
    status = send(stack, "GET", f"/connectors/{connector}/status", absent_is_fine=True)
    if status is None or "FAILED" not in states_in(status):
        return
    restart(stack, connector, only_failed=True)
    await_running(stack, connector, PATIENCE_SECONDS)
