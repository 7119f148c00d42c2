"""Integers as JSON Schema means them: 5572 and 5572.0 are one number, "5572" and true are none.

order_id: Annotated[StrictInt, Field(ge=1, le=MAX_ID), WHOLE]      # WHOLE last, or the limits leave the OpenAPI
"""

from pydantic import BeforeValidator


def _whole(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value


WHOLE = BeforeValidator(_whole)
