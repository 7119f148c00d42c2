"""Questions to PostgreSQL: does it answer."""

import asyncpg

from lakeproof.probes.condition import Condition, Operator
from lakeproof.probes.http import ANSWERS, REFUSED, SILENT
from lakeproof.probes.probe import Probe
from lakeproof.probes.reading import Value
from lakeproof.stack.engines.postgres_session import select
from lakeproof.stack.stack import Stack

READER = "reader"


def postgres_answers(stack: Stack, timeout: float) -> Value:
    """answers, silent, refused, rejected (it knows no reader of that password), or its error by SQLSTATE."""
    try:
        select(stack, READER, f"postgres-{READER}", "SELECT 1", seconds=timeout)
    except asyncpg.InvalidAuthorizationSpecificationError:  # a wrong password is one
        return "rejected"
    except asyncpg.PostgresError as error:
        return f"error {error.sqlstate}"
    except ConnectionRefusedError:
        return REFUSED
    except (asyncpg.InterfaceError, asyncpg.InternalClientError, OSError, EOFError):
        return SILENT
    return ANSWERS


PROBES = (
    Probe(
        "postgres-answers",
        "postgres",
        "SELECT 1",
        "",
        postgres_answers,
        Condition(Operator.IS, ANSWERS),
        always=True,
        liveness=True,
    ),
)
