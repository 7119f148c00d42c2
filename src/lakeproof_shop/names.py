"""The forms of customers' ids and of SKUs, the same in every service of the shop."""

from typing import Annotated

from pydantic import Field

MAX_CUSTOMER_ID = 2**53 - 1  # beyond it, JSON numbers are not exact everywhere
SKU_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$"
Sku = Annotated[str, Field(pattern=SKU_PATTERN, examples=["sku-0042"])]
