"""A wrong fix: delete the notifications that failed. Nothing fails any more, and those customers hear nothing."""

from lakeproof.arguments import Arguments
from lakeproof.errors import TerminalError
from lakeproof.stack.engines.postgres_accounts import DATABASE
from lakeproof.stack.postgres_session import TROUBLES, connection
from lakeproof.stack.stack import Stack
from lakeproof.wrong_fixes.wrong_step import WrongStep

SCHEMA = "notification"
SECONDS = 10.0
DELETE = "DELETE FROM notifications WHERE status = 'failed'"


def typed(stack: Stack, arguments: Arguments) -> str:
    """The statement in psql."""
    return f'psql {DATABASE} -c "{DELETE}"'


def run(stack: Stack, arguments: Arguments) -> str:
    """Delete the failed notifications."""
    try:
        with connection(
            stack, f"{SCHEMA}_service", f"postgres-{SCHEMA}-service", SECONDS, DATABASE, SCHEMA
        ) as session:
            return f"{session.execute(DELETE.encode()).rowcount} notifications are deleted"
    except TROUBLES as error:
        raise TerminalError(f"not deleted: {error}", where="postgres", next_action="is PostgreSQL up?") from error


WRONG_STEP = WrongStep(
    "delete_failed_notifications", "delete the notifications that failed (loses messages)", typed, run
)
