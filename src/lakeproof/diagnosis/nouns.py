"""What a cause may be written for: `for_each: NOUN` in causes.yaml makes one cause for each subject of the noun.

A subject is a mapping from placeholder to word. All subjects of a noun have the same placeholders; a word that one of
them does not have is None.
"""

from collections.abc import Mapping

from lakeproof.lake.sources.source import OLTP, SHOP, SOURCES
from lakeproof.stack.engines.cassandra_config import NODES

type Subject = Mapping[str, str | None]

# The placeholders whose word is the name of a component. component_causes.py uses `component`.
_COMPONENT = ("component", "database", "node")

_SERVICES = (
    (OLTP, ("order-service",)),
    (SHOP, ("payment-service", "fulfillment-service", "support-service", "notification-service")),
)

NOUNS: Mapping[str, tuple[Subject, ...]] = {
    # The servers that the shop's services keep their tables in. {database} is the component, {full} what its liveness
    # probe reads when no session is left. {engine} joins a server with the sources and services in it (for_each.py).
    "databases": (
        {
            "database": "mysql",
            "engine": "mysql",
            "server": "MariaDB",
            "exporter": "mysqld-exporter",
            "full": "error 1040",
        },
        {
            "database": "postgres",
            "engine": "postgres",
            "server": "PostgreSQL",
            "exporter": "postgres-exporter",
            "full": "error 53300",
        },
    ),
    # The databases whose changes come into the lake (lake/sources/source.py has their words).
    "sources": tuple(source.words for source in SOURCES),
    # The services that keep their tables in a captured database, each with that database's source and engine.
    "services": tuple(
        {"service": service, "source": source.name, "engine": source.engine}
        for source, kept in _SERVICES
        for service in kept
    ),
    # The nodes of Cassandra. {node} is the component.
    "nodes": tuple({"node": node} for node in NODES),
}


def component_of(subject: Subject) -> str | None:
    """The component that a subject is. None for a source (a database in a server) and for an empty subject."""
    return None if "source" in subject else next((subject[word] for word in _COMPONENT if word in subject), None)
