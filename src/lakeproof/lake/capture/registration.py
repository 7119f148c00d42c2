"""Registers connectors with Kafka Connect. Provisioning makes each connector once, and mends none in silence."""

import json
import logging
from typing import Any

from lakeproof.lake.capture import missed, publication, registered, slot
from lakeproof.lake.capture.backfill import read_existing_rows, require_readable
from lakeproof.lake.capture.commands import send
from lakeproof.lake.capture.connector import SIGNALS, Connector, find_connector, render
from lakeproof.lake.sources.source import Source, find_source
from lakeproof.stack import provisioned
from lakeproof.stack.stack import Stack

log = logging.getLogger(__name__)

REGISTER_SECONDS = 40.0
ASK_SECONDS = 15.0


def provision(stack: Stack, source: Source) -> None:
    """Register the source's connector where it was never made in this Kafka cluster, or its file has changed since.

    A paused connector stays paused. A connector that was deleted or changed by plain REST stays so: that is an
    incident, which diagnosis must find, and `register` is its repair. A file with new tables is left to `lakeproof
    capture register`, which first checks that the lake's job reads these tables: the job passes over rows that were
    captured before that, and they are lost to the lake.
    Raises: NotReady, TerminalError.
    """
    cluster = str(_ask(stack, "GET", "/", REGISTER_SECONDS)["kafka_cluster_id"])
    name, connector = source.connector, find_connector(source.connector)
    mark = provisioned.digest(cluster, json.dumps(render(stack, connector), sort_keys=True))
    if provisioned.is_made(stack, "connect", f"connector {name}", mark):
        if not registered.is_known(stack, connector):  # made by a version that did not note the configuration
            registered.remember(stack, connector, render(stack, connector))
        return
    live = live_config(stack, name)
    _know(stack, connector, live, cluster)
    new = _new(stack, connector, live, render(stack, connector))
    if new and _was_made(stack, connector, live):
        log.warning(
            "connector %s stays as it is: its file has new tables (%s). Next: lakeproof capture register %s",
            *(name, ", ".join(new), name),
        )
        return
    _put(stack, connector)
    provisioned.remember(stack, "connect", f"connector {name}", mark)


def register(stack: Stack, name: str) -> None:
    """Register a connector from its file, whatever is there now; it goes on from its old offsets.

    Connect keeps offsets by the connector's name, also after it was deleted, so no row is lost or read twice. A
    paused connector stays paused. Nothing is sent where Connect has exactly this configuration already. A table that
    is new in the file is published first (in PostgreSQL), and the rows that it has already are read too.
    Raises: InvalidInput for an unknown name, or a table that cannot be captured so; NotReady; CouldNotLook where the
    database does not answer; TerminalError with what Connect refused.
    """
    _put(stack, find_connector(name))


def _put(stack: Stack, connector: Connector) -> None:
    wanted = render(stack, connector)
    live = live_config(stack, connector.name, REGISTER_SECONDS)
    known = live is not None and registered.is_known(stack, connector)
    if live is not None and known and registered.changed_keys(live, registered.as_registered(stack, connector)):
        # Until now the changed configuration itself has shown that the lake may lack rows.
        missed.note(stack, find_source(connector.database), missed.BY_CONNECTOR)
    stands = live is not None and registered.without_name(live) == wanted
    if stands and not _noted(stack, connector):
        registered.remember(stack, connector, wanted)
        return
    new = _new(stack, connector, live, wanted)
    made = _was_made(stack, connector, live)
    require_readable(stack, connector, new)
    if new and made:
        # Noted first: once these tables are published or captured, nothing in Connect or the database calls them new.
        provisioned.remember(stack, "connect", _unread(connector), " ".join(new))
    added = publication.widen(stack, connector, (connector.config[SIGNALS], *new))
    if added:
        log.info("published from now on: %s", ", ".join(added))
    if made:
        publication.require_signals(stack, connector, new)
    if not stands:
        _ask(stack, "PUT", f"/connectors/{connector.name}/config", REGISTER_SECONDS, wanted)
    registered.remember(stack, connector, wanted)
    if new and made:
        read_existing_rows(stack, connector, new)
        provisioned.remember(stack, "connect", _unread(connector), "")


def _know(stack: Stack, connector: Connector, live: dict[str, str] | None, cluster: str) -> None:
    """Note the live configuration of a connector that an older version registered and nobody has changed since: that
    version noted a digest alone. Else a newer file, which a start leaves alone, would be taken for somebody's change.
    """
    if live is None or registered.is_known(stack, connector):
        return
    as_it_stands = provisioned.digest(cluster, json.dumps(registered.without_name(live), sort_keys=True))
    if provisioned.is_made(stack, "connect", f"connector {connector.name}", as_it_stands):
        registered.remember(stack, connector, registered.without_name(live))


def unread_tables(stack: Stack, connector: Connector) -> list[str]:
    """The tables of the connector's file, named as in Connector.sources, that it does not capture yet, or whose
    earlier rows were left unread by a command that was cut off. Raises: NotReady.
    """
    return _new(stack, connector, live_config(stack, connector.name), render(stack, connector))


def _new(stack: Stack, connector: Connector, live: dict[str, str] | None, wanted: dict[str, str]) -> list[str]:
    """As unread_tables. Where Connect has no such connector, the publication may still tell what was captured."""
    found = _noted(stack, connector)
    if live is not None:
        found |= set(new_tables(live, wanted))
    else:
        there = publication.published(stack, connector)
        found |= {table for table in connector.sources if there and table not in there}
    return [table for table in connector.sources if table in found]


def _was_made(stack: Stack, connector: Connector, live: dict[str, str] | None) -> bool:
    """True where the connector goes on from a place in the log. It then has to be asked for a new table's rows."""
    return live is not None or bool(_noted(stack, connector)) or slot.look(stack, connector) is not None


def _unread(connector: Connector) -> str:
    return f"unread rows of {connector.name}"


def _noted(stack: Stack, connector: Connector) -> set[str]:
    """The tables of its file that an earlier command began to capture without reading their earlier rows."""
    return set(provisioned.recall(stack, "connect", _unread(connector)).split()).intersection(connector.sources)


def new_tables(live: dict[str, str], wanted: dict[str, str]) -> list[str]:
    """Tables (as Connector.sources) that the second configuration captures and the first does not."""
    known = registered.tables(live)
    return [table for table in registered.tables(wanted) if table not in known]


def live_config(stack: Stack, name: str, patience_seconds: float = ASK_SECONDS) -> dict[str, str] | None:
    """What Connect has for that connector; None when it has no such connector. Raises: DeadlineExpired."""
    found = _ask(stack, "GET", f"/connectors/{name}/config", patience_seconds)
    return None if found is None else {key: str(value) for key, value in found.items()}


def _ask(stack: Stack, method: str, path: str, seconds: float, body: dict[str, str] | None = None) -> Any:
    return send(
        stack, method, path, body=body, absent_is_fine=True, patience_seconds=seconds, ask_seconds=ASK_SECONDS
    )
