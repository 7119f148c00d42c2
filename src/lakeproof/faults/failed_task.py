"""The connector's task fails, and what made it fail is put right again: a failed task does not start by itself."""

from lakeproof.deadline import Deadline
from lakeproof.faults.fault import Fault, Sign
from lakeproof.faults.revoked_grant import RevokedGrant, remove
from lakeproof.lake.capture.commands import restart, send
from lakeproof.lake.sources import mariadb
from lakeproof.stack.stack import Stack

FAIL_SECONDS = 30.0


def inject(stack: Stack, arguments: RevokedGrant) -> None:
    """Take a privilege from the account, wait until the task has failed for it, and give the privilege back.

    Raises: DeadlineExpired where the task does not fail; the privilege is given back then too.
    """
    if _state(stack, arguments) == "FAILED":
        mariadb.grant(stack, arguments.user)
        return
    try:
        mariadb.revoke(stack, arguments.user, arguments.privilege)
        mariadb.end_connections(stack, arguments.user)
        restart(stack, arguments.connector, only_failed=False)
        Deadline(FAIL_SECONDS).wait_for(
            f"the task of {arguments.connector} to fail", lambda: _state(stack, arguments) == "FAILED" or None
        )
    finally:
        mariadb.grant(stack, arguments.user)


def sign(stack: Stack, arguments: RevokedGrant) -> Sign:
    """The task says FAILED while its account has the privilege."""
    state, held = _state(stack, arguments), mariadb.holds(stack, arguments.user, arguments.privilege)
    told = f"the task is {state}, {arguments.user} {'has' if held else 'lacks'} {arguments.privilege}"
    return Sign(state == "FAILED" and held, told)


def _state(stack: Stack, arguments: RevokedGrant) -> str:
    status = send(stack, "GET", f"/connectors/{arguments.connector}/status")
    return next((str(task["state"]) for task in status["tasks"]), "not there")


FAULT = Fault(
    "failed_task", "make the connector's task fail, by what is right again", inject, remove, sign, RevokedGrant
)
