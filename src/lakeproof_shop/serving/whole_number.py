"""Integers as JSON Schema means them: 5572 and 5572.0 are the same number; "5572" and true are no numbers.

order_id: Annotated[StrictInt, Field(ge=1, le=MAX_ID), WHOLE]   # WHOLE last: else OpenAPI would not show the limits
"""

from pydantic import BeforeValidator


def _whole(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value


WHOLE = BeforeValidator(_whole)
