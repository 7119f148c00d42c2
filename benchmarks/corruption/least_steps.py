"""The least that a value can be changed by: a cent, a microsecond, a blank, a letter's case, NULL."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import orjson

type Change = Callable[[Any], Any]


def _other_form(value: str) -> str:
    """The first letter or digit in its full-width form: the same text after NFKC normalization, but other bytes."""
    place = next(place for place, sign in enumerate(value) if sign.isascii() and sign.isalnum())
    return value[:place] + chr(ord(value[place]) + 0xFEE0) + value[place + 1 :]


LEAST: Mapping[str, Change] = {
    "by one": lambda value: value + 1,
    "by minus one": lambda value: value - 1,
    "far away": lambda value: value + 800_000_000,
    "by a cent": lambda value: value + Decimal("0.01"),
    "by a microsecond": lambda value: value + timedelta(microseconds=1),
    "in case": lambda value: value.swapcase(),
    "by a trailing blank": lambda value: value + " ",
    "in Unicode form": _other_form,
    "to the opposite": lambda value: not value,
    "to empty": lambda value: "",
    "to NULL": lambda value: None,
}


def changed(row: Mapping[str, Any], **values: Any) -> dict[str, Any]:
    """A copy of the row with the given values."""
    return {**row, **values}


def literal(value: Any, *, backslash: bool = False) -> str:
    """The value as an SQL literal. backslash: True for an engine in which a backslash begins an escape."""
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, int | Decimal):
        return str(value)
    if isinstance(value, bytes):
        return f"X'{value.hex()}'"
    if isinstance(value, dict | list):
        value = orjson.dumps(value).decode()
    text = value.isoformat(sep=" ", timespec="microseconds") if isinstance(value, datetime) else str(value)
    text = text.replace("'", "''")
    return f"'{text.replace(chr(92), chr(92) * 2) if backslash else text}'"
