"""The database account that PostgreSQL's capture logs in with: its password, its privileges. Done as superuser."""

from lakeproof.errors import NotReady
from lakeproof.stack.engines.postgres_accounts import DATABASE, LOOKING_ON
from lakeproof.stack.engines.postgres_config import ROOT_SECRET, ROOT_USER
from lakeproof.stack.stack import Stack

ASK_SECONDS = 5.0


def grant_statements(user: str) -> tuple[str, ...]:
    """The SQL that gives the account every privilege that it is meant to have."""
    return tuple(
        statement
        for account in LOOKING_ON
        if account.user == user
        for statement in (
            f"ALTER ROLE {user} LOGIN {account.attributes}".rstrip(),
            f"GRANT CONNECT ON DATABASE {DATABASE} TO {user}",
            *(f"GRANT {group} TO {user}" for group in account.member_of),
        )
    )


def password_statement(user: str, password: str) -> str:
    """The SQL that lets the account log in by that password, which is hex and so needs no quoting."""
    return f"ALTER ROLE {user} LOGIN PASSWORD '{password}'"


def set_password(stack: Stack, user: str, password: str) -> None:
    """Let the account log in by that password. Raises: NotReady."""
    _as_root(stack, password_statement(user, password))


def grant(stack: Stack, user: str) -> None:
    """Give the account every privilege that it is meant to have. Raises: NotReady."""
    for statement in grant_statements(user):
        _as_root(stack, statement)


def _as_root(stack: Stack, statement: str) -> None:
    from lakeproof.stack import postgres_session

    try:
        postgres_session.select(stack, ROOT_USER, ROOT_SECRET, statement, seconds=ASK_SECONDS)
    except postgres_session.TROUBLES as error:
        # Neither the error's text nor the statement: a password may stand in them.
        raise NotReady(type(error).__name__, where="postgres", next_action="lakeproof ps") from None
