"""A wrong fix: end every session of MariaDB but the administrator's. The shop loses its own, and the leak goes on."""

from lakeproof.arguments import Arguments
from lakeproof.stack.database_sessions import ENGINES, administrator
from lakeproof.stack.stack import Stack
from lakeproof.wrong_fixes.wrong_step import WrongStep

SECONDS = 10.0
ALL = (
    "SELECT id FROM information_schema.processlist WHERE id <> CONNECTION_ID()"
    " AND user NOT IN ('system user', 'event_scheduler', %s)"
)


def _administrator(stack: Stack) -> str:
    user, secret = ENGINES["mysql"].ADMINISTRATOR
    return stack.account(secret, user)


def typed(stack: Stack, arguments: Arguments) -> str:
    """The statements."""
    return f"KILL CONNECTION id; -- for each of {ALL % repr(_administrator(stack))}"


def run(stack: Stack, arguments: Arguments) -> str:
    """End them; one that ends by itself meanwhile is fine. Raises: CouldNotLook."""
    with administrator(stack, "mysql", SECONDS) as ask:
        found = ask(ALL, _administrator(stack))
        for (session,) in found:
            ask(f"KILL CONNECTION {int(session)}")
    return f"ended {len(found)} sessions"


WRONG_STEP = WrongStep("kill_all_sessions", "end every session of MariaDB (mends nothing)", typed, run)
