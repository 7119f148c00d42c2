"""What a scenario or a person may set for a fault, a mitigation or a check, checked before anything starts."""

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from lakeproof.errors import InvalidInput


class Arguments(BaseModel):
    """Base of every module's arguments. A module that takes no arguments uses this class itself."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class OfComponent(Arguments):
    """`component`: the component's name."""

    component: str


class OfConnector(Arguments):
    """`connector`: the connector's name in Kafka Connect."""

    connector: str = "orders"


class OfServer(Arguments):
    """`database`: the database server, by its component's name."""

    database: Literal["mysql", "postgres"] = "mysql"


class OfAccount(Arguments):
    """`user`: our name of change capture's account. The setting `accounts` may give the database's own name of it."""

    user: str = "cdc"


def parse_arguments[T: Arguments](model: type[T], given: Mapping[str, Any], where: str) -> T:
    """The checked arguments. Raises: InvalidInput naming the argument and what is wrong with it."""
    try:
        return model.model_validate(dict(given))
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "arguments"
        known = ", ".join(model.model_fields) or "none"
        raise InvalidInput(
            f"argument {key}: {first['msg']}", where=where, next_action=f"its arguments: {known}"
        ) from error


def parse_pairs(given: Iterable[str]) -> dict[str, str]:
    """`NAME=VALUE` texts as a person types them. Raises: InvalidInput."""
    pairs = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise InvalidInput(f"{text!r} is not NAME=VALUE", where="--arg", next_action="e.g. connector=orders")
        pairs[name] = value
    return pairs
