"""Steps that look like a repair of ttl-oversell, and are none."""

import uuid

import httpx
from pydantic import Field

from lakeproof.errors import TerminalError
from lakeproof.probes.cql import select
from lakeproof.stack.stack import Stack
from lakeproof.wrong_fixes.wrong_step import WrongStep
from lakeproof_shop.scenarios.ttl_oversell.probes import SERVICE
from lakeproof_shop.services.inventory.requests import MAX_RECEIPT

SECONDS = 10.0

SKUS = "SELECT DISTINCT sku FROM inventory.stock"


class AddStockByHand(WrongStep):
    """Book more goods in for every SKU (mends nothing).

    A wrong fix: book more goods in for every SKU. No shopper finds one sold out, and reservations end as early.

    The receipts stay after the drill, for the inventory has no call that takes one back. Each run of shoppers books
    in far more, and no check and no drill depends on how much stock there is.

    `quantity`: the units to add to each SKU.
    """

    quantity: int = Field(100, ge=1, le=MAX_RECEIPT)

    def typed(self, stack: Stack) -> str:
        """The calls to the service's own API."""
        return (
            f"curl -X POST -H 'Idempotency-Key: KEY' -H 'Content-Type: application/json'"
            f" -d '{{\"quantity\": {self.quantity}}}' {stack.url(SERVICE)}/stock/SKU/receive # for each SKU"
        )

    def run(self, stack: Stack) -> str:
        """Book `quantity` units of each SKU in. A repeat books in as many again.

        Raises: CouldNotLook where Cassandra does not tell the SKUs, TerminalError where the service books nothing in.
        """
        skus, url = sorted(str(row[0]) for row in select(stack, SKUS, SECONDS)), stack.url(SERVICE)
        try:
            with httpx.Client(timeout=SECONDS, trust_env=False) as client:
                for sku in skus:
                    headers = {"idempotency-key": f"by-hand-{uuid.uuid4().hex}"}
                    body = {"quantity": self.quantity}
                    client.post(f"{url}/stock/{sku}/receive", json=body, headers=headers).raise_for_status()
        except httpx.HTTPStatusError as error:
            raise TerminalError(
                f"not booked in: answered {error.response.status_code}",
                where=url,
                next_action=f"lakeproof logs {SERVICE}",
            ) from error
        except httpx.HTTPError as error:
            raise TerminalError(
                f"not booked in: no answer ({type(error).__name__})", where=url, next_action=f"lakeproof up {SERVICE}"
            ) from error
        return f"{self.quantity} units more of each of {len(skus)} SKUs are booked in"
