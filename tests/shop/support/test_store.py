"""Cases over a connection made up: a change is refused by what is there once the case's row is locked."""

from typing import Any, cast

import pytest

from lakeproof.deadline import Deadline
from lakeproof_shop.services.support.events import SELECT_OPERATION
from lakeproof_shop.services.support.metrics import SupportMetrics
from lakeproof_shop.services.support.models import Op
from lakeproof_shop.services.support.requests import MAX_MESSAGES, MessageRequest
from lakeproof_shop.services.support.store import CaseStore
from lakeproof_shop.serving.database.pool import ConnectionPool
from lakeproof_shop.serving.database.postgres import Connection
from lakeproof_shop.serving.operation import RuleRefused, operation


class LastRoom:
    """A case with room for one more message, which another writer takes while this one waits for the row's lock.

    As under READ COMMITTED, a statement counts what was there when it began.
    """

    def __init__(self) -> None:
        self.messages = MAX_MESSAGES - 1

    async def fetch(self, statement: str, *args: object) -> list[dict[str, Any]]:
        if statement == SELECT_OPERATION:
            return []
        counted = self.messages
        if "FOR UPDATE" in statement:
            self.messages = MAX_MESSAGES
        return [{"status": "open", "messages": counted, "attachments": 0, "made": 1}]

    async def execute(self, statements: str) -> None:
        return None

    def close(self) -> None:
        return None


async def test_two_who_write_at_once_do_not_fill_a_case_beyond_its_most_messages() -> None:
    async def connect() -> Connection:
        return cast("Connection", LastRoom())

    pool = ConnectionPool(connect, 1)
    request = MessageRequest(author="customer", body="one more")
    asked = operation(Op.MESSAGE, "key", 7, "")
    with pytest.raises(RuleRefused, match="at most"):
        await CaseStore(pool, SupportMetrics()).add_message(7, request, asked, Deadline(60.0))
    await pool.close(1.0)
