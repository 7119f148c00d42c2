"""The ledger: what the customers know. Whatever is changed there, the stores say otherwise."""

from collections.abc import Callable, Iterator
from decimal import Decimal
from random import Random
from typing import Any

import orjson

from benchmarks.corruption.kind import Kind, Looking, Planted, Step, named, picked

type Lines = list[dict[str, Any]]
type Edit = Callable[[Lines, str], Lines]

_NEEDS = frozenset({"mysql"})
_ANSWERS = ("ok", "settled")


def kinds() -> Iterator[Kind]:
    """All kinds of this module."""
    yield from named(
        {name: _edited(edit) for name, edit in _EDITS.items()}
        | {"torn in the middle": _torn, "a run's file gone": _gone},
        *(_NEEDS, "ledger"),
    )


def _edited(edit: Edit) -> Callable[[Looking, Random], Planted]:
    def plant(look: Looking, rng: Random) -> Planted:
        path = picked(rng, look.files("ledger"), "ledger")
        before = look.read("file", path)
        lines: Lines = [orjson.loads(line) for line in before.splitlines()]
        key = picked(rng, _alive(lines), "order whose calls are all answered")
        after = b"".join(orjson.dumps(line) + b"\n" for line in edit(lines, key))
        return Planted(f"{key} in {path}", (key, f"{key}-never"), *_steps(path, before, after))

    return plant


def _alive(lines: Lines) -> list[str]:
    """Keys of orders that exist now: their newest line is an answer, and not the answer to a deletion."""
    newest = {line["key"]: line for line in lines}
    return sorted(key for key, line in newest.items() if line["event"] in _ANSWERS and line["order"] is not None)


def _steps(path: str, before: bytes, after: bytes) -> tuple[tuple[Step, ...], tuple[Step, ...]]:
    return (Step("file", after.hex(), path),), (Step("file", before.hex(), path),)


def _newest_changed(**values: Callable[[Any], Any]) -> Edit:
    def edit(lines: Lines, key: str) -> Lines:
        place = max(place for place, line in enumerate(lines) if line["key"] == key)
        order = lines[place]["order"]
        changed = {
            **lines[place],
            "order": {**order, **{name: change(order[name]) for name, change in values.items()}},
        }
        return [*lines[:place], changed, *lines[place + 1 :]]

    return edit


def _forgotten(lines: Lines, key: str) -> Lines:
    return [line for line in lines if line["key"] != key]


def _refused(lines: Lines, key: str) -> Lines:
    """The ledger then says that the shop refused the order's newest call, although the shop applied it."""
    place = max(place for place, line in enumerate(lines) if line["key"] == key)
    refused = {**lines[place], "event": "refused", "reason": "not in this state", "order": None}
    return [*lines[:place], refused, *lines[place + 1 :]]


def _one_more(lines: Lines, key: str) -> Lines:
    """The ledger then has one more acknowledged order, which no store has: as if the order were lost everywhere."""
    more = []
    for line in lines:
        if line["key"] == key:
            order = None if line["order"] is None else {**line["order"], "client_key": f"{key}-never"}
            if order is not None and order["id"] is not None:
                order["id"] += 600_000_000
            more.append({**line, "key": f"{key}-never", "order": order})
    return [*lines, *more]


_EDITS: dict[str, Edit] = {
    "an order's total by a cent": _newest_changed(total=lambda total: f"{Decimal(total) + Decimal('0.01'):.2f}"),
    "an order's customer by one": _newest_changed(customer_id=lambda customer: customer + 1),
    "an order's number by one": _newest_changed(id=lambda id_: id_ + 600_000_000),
    "an order forgotten": _forgotten,
    "a refused call applied": _refused,
    "an acknowledged order in no store": _one_more,
}


def _torn(look: Looking, rng: Random) -> Planted:
    path = picked(rng, look.files("ledger"), "ledger")
    before = look.read("file", path)
    place = before.index(b"\n", len(before) // 2)
    return Planted(f"half a line in {path}", (), *_steps(path, before, before[:place] + before[place + 9 :]))


def _gone(look: Looking, rng: Random) -> Planted:
    path = picked(rng, look.files("ledger"), "ledger")
    before = look.read("file", path)
    keys = tuple(_alive([orjson.loads(line) for line in before.splitlines()]))
    return Planted(f"{path} goes", keys, *_steps(path, before, b""))
