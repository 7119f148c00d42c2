"""A database of a benchmark's own in the stack's PostgreSQL, and a topic of its own: not captured, not checked."""

import contextlib
from collections.abc import Awaitable, Callable, Iterator

from confluent_kafka.admin import (  # type: ignore[attr-defined]  # re-exported without saying so
    AdminClient,
    NewTopic,
)

from lakeproof.provisioning.postgres import schema_of
from lakeproof.stack import postgres_session
from lakeproof.stack.engines.postgres_config import ROOT_SECRET, ROOT_USER
from lakeproof.stack.stack import Stack
from lakeproof.stack.topics import event_topic
from lakeproof_shop.serving.database.postgres import Connection, connector

NAME = "lakeproof_bench"
EVENTS_OF = "bench"
TOPIC_SECONDS = 30.0


@contextlib.contextmanager
def scratch_postgres(stack: Stack, schema: str, name: str = NAME) -> Iterator[str]:
    """A fresh database with the tables of `schema`, dropped after the block. One left by a killed run is replaced."""
    _execute(stack, "postgres", f"DROP DATABASE IF EXISTS {name} WITH (FORCE)", f"CREATE DATABASE {name}")
    try:
        _execute(stack, name, schema_of(schema))
        yield name
    finally:
        _execute(stack, "postgres", f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


def _execute(stack: Stack, database: str, *statements: str) -> None:
    with postgres_session.connection(stack, ROOT_USER, ROOT_SECRET, 30.0, database) as root:
        for statement in statements:
            root.rows(statement)


@contextlib.contextmanager
def scratch_topic(stack: Stack) -> Iterator[None]:
    """The event topic of EVENTS_OF, deleted after the block."""
    topic = event_topic(EVENTS_OF)
    client = AdminClient({"bootstrap.servers": stack.address("kafka", "tcp")})
    if topic not in client.list_topics(timeout=TOPIC_SECONDS).topics:
        client.create_topics([NewTopic(topic, num_partitions=3, replication_factor=1)])[topic].result(TOPIC_SECONDS)
    try:
        yield
    finally:
        client.delete_topics([topic], request_timeout=TOPIC_SECONDS)[topic].result(TOPIC_SECONDS)


def connect_to(stack: Stack, database: str, *, statement_seconds: float = 0.0) -> Callable[[], Awaitable[Connection]]:
    """Opens connections as a service does, but as root: its own account has no rights here."""
    host, port = stack.host_port("postgres", "tcp")
    return connector(
        host,
        port,
        ROOT_USER,
        stack.secret(ROOT_SECRET),
        database,
        connect_seconds=5.0,
        statement_seconds=statement_seconds or stack.settings.shop.request_seconds,
    )
