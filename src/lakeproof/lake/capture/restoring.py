"""Giving a connector the configuration back with which it was registered last, where somebody has changed it."""

from lakeproof.errors import InvalidInput
from lakeproof.lake.capture import missed
from lakeproof.lake.capture.commands import send
from lakeproof.lake.capture.connector import Connector
from lakeproof.lake.capture.registered import as_registered, changed_keys, with_free_keys_of
from lakeproof.lake.capture.registration import ASK_SECONDS, REGISTER_SECONDS, live_config
from lakeproof.lake.sources.source import find_source
from lakeproof.stack.stack import Stack


def restore(stack: Stack, connector: Connector) -> None:
    """Give it back, but for free keys; a connector that is stopped stays so.

    Nothing is sent where nothing differs, or where Connect has no such connector. What it did not deliver meanwhile
    does not come by this: a mark tells of it from then on, which the bridges take away.
    Raises: DeadlineExpired; TerminalError with what was refused.
    """
    live, wanted = live_config(stack, connector.name, REGISTER_SECONDS), as_registered(stack, connector)
    if live is None or not changed_keys(live, wanted):
        return
    # Until now its changed configuration has told that the lake lacks something.
    missed.note(stack, find_source(connector.database), missed.BY_CONNECTOR)
    send(
        stack,
        "PUT",
        f"/connectors/{connector.name}/config",
        body=with_free_keys_of(live, wanted),
        patience_seconds=REGISTER_SECONDS,
        ask_seconds=ASK_SECONDS,
    )


def require_unchanged(stack: Stack, connector: Connector) -> None:
    """Asked by a bridge that compares the lake with the database and leaves to the job what it holds already.

    By a changed connector the job may hold rows whose transaction never ends, and would show them much later, on top
    of what the bridge has brought. Raises: InvalidInput that names the bridge by which the job forgets them.
    """
    live = live_config(stack, connector.name)
    changed = [] if live is None else changed_keys(live, as_registered(stack, connector))
    if changed or missed.is_noted(stack, find_source(connector.database), missed.BY_CONNECTOR):
        raise InvalidInput(
            f"its configuration is or was another one ({', '.join(changed) or missed.NOT_BROUGHT})",
            where=connector.name,
            next_action=f"lakeproof mitigate INCIDENT --action bridge_topic_gap --arg connector={connector.name}",
        )
