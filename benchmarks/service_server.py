"""A service of the shop on a benchmark's own data, as the real one but for what its function says.

`python -m benchmarks.service_server NAME PLACE PORT`. PLACE is the service's database; a service that needs
something else as well has that first, then a colon and the database.
"""

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from fastapi import FastAPI

from benchmarks import scratch_database, scratch_postgres
from lakeproof.stack.stack import Stack
from lakeproof_shop.serving.outbox import RELAY_SECONDS
from lakeproof_shop.serving.service import serve

NO_KAFKA = "127.0.0.1:9"

# Each function imports only its own service, since the process's memory is part of the result.


def _order(stack: Stack, database: str) -> FastAPI:
    """The order service without checkouts."""
    from lakeproof_shop.services.order.app import create_app

    return create_app(stack.settings.shop, scratch_database.connect_to(stack, database))


def _payment(stack: Stack, database: str) -> FastAPI:
    """The payment service. Its relay sends to the benchmark's topic."""
    from lakeproof_shop.services.payment.app import Surroundings, create_app

    around = Surroundings(
        scratch_postgres.connect_to(stack, database),
        scratch_postgres.connect_to(stack, database, statement_seconds=RELAY_SECONDS),
        stack.address("kafka", "tcp"),
        scratch_postgres.EVENTS_OF,
    )
    return create_app(stack.settings.shop, around)


def _notification(stack: Stack, place: str) -> FastAPI:
    """place: SMTP_PORT:DATABASE. The service reads no events of other services, and sends no webhook."""
    from lakeproof_shop.services.notification.app import Surroundings, create_app
    from lakeproof_shop.serving import redis_connection

    smtp_port, _, database = place.partition(":")
    around = Surroundings(
        scratch_postgres.connect_to(stack, database),
        scratch_postgres.connect_to(stack, database, statement_seconds=RELAY_SECONDS),
        redis_connection.redis_url(stack),
        ("127.0.0.1", int(smtp_port)),
        "http://127.0.0.1:1/webhook",
        stack.address("kafka", "tcp"),
        stack.url("order-service"),
        events_of=scratch_postgres.EVENTS_OF,
        reads=(),
    )
    return create_app(stack.settings.shop, stack.settings.notification, around)


def _support(stack: Stack, place: str) -> FastAPI:
    """place: ATTACHMENT_FOLDER:DATABASE. The service has no Kafka, where its events would be taken for the shop's."""
    from lakeproof_shop.services.support.app import create_app, surroundings_of

    folder, _, database = place.partition(":")
    connect = scratch_postgres.connect_to(stack, database)
    around = replace(
        surroundings_of(stack), connect=connect, connect_relay=connect, kafka=NO_KAFKA, attachment_dir=Path(folder)
    )
    return create_app(stack.settings.shop, stack.settings.support, around)


def _mail_sink(stack: Stack, place: str) -> FastAPI:
    """place: SMTP_PORT:FOLDER."""
    from lakeproof_shop.services.mail_sink.app import Place, create_app

    smtp_port, _, folder = place.partition(":")
    return create_app(stack.settings.shop, Place("127.0.0.1", int(smtp_port), Path(folder)))


_CREATE: dict[str, Callable[[Stack, str], FastAPI]] = {
    "order-service": _order,
    "payment-service": _payment,
    "notification-service": _notification,
    "support-service": _support,
    "mail-sink": _mail_sink,
}


if __name__ == "__main__":
    NAME, PLACE, PORT = sys.argv[1:]
    serve(NAME, lambda stack: _CREATE[NAME](stack, PLACE), int(PORT))
