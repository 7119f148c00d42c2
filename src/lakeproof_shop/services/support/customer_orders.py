"""A customer's orders, newest first, from the projection in Cassandra, with the greatest age that they may have.

The service connects to Cassandra only at the first request: a stack without Cassandra has a support service too.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from cassandra.cluster import Cluster
from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel

from lakeproof.deadline import Deadline
from lakeproof.lake.result_topics import PARTITIONS
from lakeproof_shop.projector import statements
from lakeproof_shop.projector.lag import covered_us
from lakeproof_shop.services.support.requests import MAX_ID
from lakeproof_shop.serving.answering import EVERY_ROUTE_SAYS, answer_within
from lakeproof_shop.serving.database.cassandra import Ring
from lakeproof_shop.serving.database.errors import DatabaseDown
from lakeproof_shop.serving.database.metrics import DatabaseMetrics
from lakeproof_shop.serving.refusal import json_response
from lakeproof_shop.serving.times import iso

CONNECT_SECONDS = 2.0
COVERED_SECONDS = 0.2  # the projection's progress is read again after this time, not at each request
MOST = 100

router = APIRouter(tags=["customers"], responses=EVERY_ROUTE_SAYS)


class CustomerOrderBody(BaseModel):
    """One order as it was when it was projected."""

    order_id: int
    status: str
    total: str
    item_count: int
    version: int
    created_at: str
    updated_at: str


class CustomerOrdersBody(BaseModel):
    """Orders, newest first. Everything that was committed up to `as_of` is in them; later changes may be.

    `as_of` and `age_seconds` are null while the projection has not told. `more`: there are older ones.
    """

    customer_id: int
    orders: list[CustomerOrderBody]
    more: bool
    as_of: str | None
    age_seconds: float | None


@dataclass(frozen=True)
class _Covered:
    seen_at: float
    instant_us: int | None


class CustomerOrders:
    """Reads the projection. `open_cluster`: None where the service was given no Cassandra."""

    def __init__(
        self, open_cluster: Callable[[], Cluster] | None, metrics: DatabaseMetrics, request_seconds: float
    ) -> None:
        self._ring = None if open_cluster is None else Ring(open_cluster, statements.READS, metrics)
        self._seconds = request_seconds
        self._started = False
        self._covered = _Covered(float("-inf"), None)

    async def answer(self, customer_id: int, limit: int) -> dict[str, Any]:
        """The body of the route's answer. Raises: Refusal 503 within the request's time where Cassandra is away."""
        return await answer_within(self._seconds, lambda deadline: self._of(customer_id, limit, deadline))

    @property
    def problem(self) -> str:
        """Why Cassandra cannot be read, for /health; "" before the first request too."""
        return self._ring.problem if self._ring is not None and self._started else ""

    async def close(self) -> None:
        """Close the connections; reads under way are given up."""
        if self._ring is not None and self._started:
            await self._ring.close()

    async def _of(self, customer_id: int, limit: int, deadline: Deadline) -> dict[str, Any]:
        ring = self._ring
        if ring is None:
            raise DatabaseDown("this service was given no Cassandra")
        if not self._started:
            self._started = True
            ring.start()
        await ring.await_connection(Deadline(min(CONNECT_SECONDS, deadline.left)))
        # The progress is read before the orders, so that the orders contain all that the progress covers.
        covered = await self._covered_us(ring, deadline)
        rows = await ring.read(statements.OF_CUSTOMER, (customer_id, limit + 1), deadline)
        return {
            "customer_id": customer_id,
            "orders": [
                {
                    "order_id": order_id,
                    "status": status,
                    "total": f"{total:.2f}",
                    "item_count": item_count,
                    "version": version,
                    "created_at": _iso(created_us),
                    "updated_at": _iso(updated_us),
                }
                for order_id, status, total, item_count, version, created_us, updated_us in rows[:limit]
            ],
            "more": len(rows) > limit,
            "as_of": None if covered is None else _iso(covered),
            "age_seconds": None if covered is None else round(max(0.0, time.time() - covered / 1e6), 3),
        }

    async def _covered_us(self, ring: Ring, deadline: Deadline) -> int | None:
        now = asyncio.get_running_loop().time()
        if now - self._covered.seen_at > COVERED_SECONDS:
            rows = await ring.read(statements.PROGRESS, (statements.PROJECTION,), deadline)
            self._covered = _Covered(now, covered_us(rows, PARTITIONS))
        return self._covered.instant_us


def _iso(microseconds: int) -> str:
    return iso(datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds))


@router.get("/support/customers/{customer_id}/orders", response_model=CustomerOrdersBody)
async def customer_orders(
    request: Request,
    customer_id: Annotated[int, Path(ge=1, le=MAX_ID)],
    limit: Annotated[int, Query(ge=1, le=MOST)] = 20,
) -> Response:
    """A customer's orders, newest first, and how old the answer is at most: 503 with the reason without Cassandra."""
    orders: CustomerOrders = request.app.state.customer_orders
    return json_response(await orders.answer(customer_id, limit))
