"""Runs a request's work within its time, and turns database errors into answers, alike in every service."""

from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Annotated

from fastapi import Header

from lakeproof.deadline import Deadline
from lakeproof_shop.serving.database.errors import CommitUnclear, DatabaseTrouble, TooBusy
from lakeproof_shop.serving.operation import RuleRefused
from lakeproof_shop.serving.refusal import Refusal, refusals

KEY_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$"
_KEY = Header(
    pattern=KEY_PATTERN,
    description="The same key with the same request gives the same answer and acts once; with another: 422.",
)
IdempotencyKey = Annotated[str | None, _KEY]
RequiredKey = Annotated[str, _KEY]  # without it: 428 (service.py)
NO_KEY_SAYS = refusals({428: "Idempotency-Key was not given."})
EVERY_ROUTE_SAYS = refusals(
    {
        400: "Not JSON.",
        408: "The body did not arrive in time.",
        413: "The body is too large.",
        422: "A field is wrong, or the key was used for another request.",
        500: "An error in the service; whether the change was made is unclear.",
        503: "The database does not answer; `outcome` says whether the change may have been made.",
    }
)


def headers_of(version: int | None = None, *, replayed: bool = False) -> dict[str, str]:
    """The headers of an answer: the version as ETag where there is one. replayed: the key was answered before."""
    found = {} if version is None else {"etag": f'"{version}"'}
    return found | {"idempotent-replayed": "true"} if replayed else found


def one_key(header: str | None, client_key: str | None) -> str:
    """The key of a create request, from the header or the body. Raises: Refusal for no key, or two different ones."""
    if header and client_key and header != client_key:
        raise Refusal(422, "invalid", "two different keys", fields=(("client_key", "differs from Idempotency-Key"),))
    key = header or client_key
    if not key:
        missing = ("client_key", "required, here or as Idempotency-Key")
        raise Refusal(422, "invalid", "a key is missing", fields=(missing,))
    return key


async def answer_within[T](
    seconds: float, call: Callable[[Deadline], Awaitable[T]], status_of: Mapping[str, int] = MappingProxyType({})
) -> T:
    """The result of `call`. Raises: Refusal 503 for any DatabaseTrouble; Refusal with the status in `status_of` for
    a RuleRefused; everything else that `call` raises, as it is.
    """
    try:
        return await call(Deadline(seconds))
    except RuleRefused as error:
        if error.why not in status_of:
            raise
        raise Refusal(status_of[error.why], error.why, str(error)) from error
    except CommitUnclear as error:
        raise Refusal(
            503,
            "unclear",
            f"unclear whether it was done: {error}. Repeat it with the same key to find out",
            outcome="unclear",
            headers={"retry-after": "1"},
        ) from error
    except TooBusy as error:
        raise Refusal(503, "busy", str(error), headers={"retry-after": "1"}) from error
    except DatabaseTrouble as error:
        raise Refusal(503, "database_unavailable", f"the database: {error}", headers={"retry-after": "1"}) from error
