"""Gives a connector its last registered configuration back, where somebody has changed it."""

from lakeproof.errors import InvalidInput
from lakeproof.lake.capture import missed
from lakeproof.lake.capture.commands import send
from lakeproof.lake.capture.connector import Connector
from lakeproof.lake.capture.registered import as_registered, changed_keys, with_free_keys_of
from lakeproof.lake.capture.registration import ASK_SECONDS, REGISTER_SECONDS, live_config
from lakeproof.lake.sources.source import find_source
from lakeproof.stack.stack import Stack


def restore(stack: Stack, connector: Connector) -> None:
    """Give it back, except for the free keys (registered.py); a connector that is stopped stays so.

    Nothing is sent where nothing differs, or where Connect has no such connector. This does not bring the rows that
    the connector did not deliver meanwhile: a mark says that they are missing, until a bridge takes the mark away.
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
    """Called by a bridge that compares the lake with the database, and relies on the job to show the rows it holds.

    From a changed connector the job may hold rows whose transaction never ends. It would show them much later, on top
    of what the bridge has brought. Raises: InvalidInput that names the bridge by which the job forgets these rows.
    """
    live = live_config(stack, connector.name)
    changed = [] if live is None else changed_keys(live, as_registered(stack, connector))
    if changed or missed.is_noted(stack, find_source(connector.database), missed.BY_CONNECTOR):
        raise InvalidInput(
            f"its configuration is or was another one ({', '.join(changed) or missed.NOT_BROUGHT})",
            where=connector.name,
            next_action=f"lakeproof mitigate INCIDENT --action bridge_topic_gap --arg connector={connector.name}",
        )
