"""A kind of corruption: where it is planted, how, and how it is taken out again. All of it is data.

A kind's steps are written into the hunt's journal before the first is done, so that whoever hunts next can take out
what a killed hunt left.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, Protocol


class NothingToPlantOn(Exception):
    """The stack holds nothing that this kind could corrupt, and why."""


class AlreadySo(Exception):
    """A store is already as these steps would make it."""


@dataclass(frozen=True, slots=True)
class Step:
    """One change of one store. `store`: a name of stores.py. place: of a file or an object; text: SQL, CQL, or the
    new bytes as hexadecimal digits ("" for an object or file that goes).
    """

    store: str
    text: str
    place: str = ""

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Step":
        """The inverse of `asdict`."""
        return cls(data["store"], data["text"], data["place"])


@dataclass(frozen=True)
class Planted:
    """What one round does: `do` plants, `undo` takes out. keys: the check must name one of them; none where no key
    can be known (a file that no engine can read any more).
    """

    what: str
    keys: tuple[str, ...]
    do: tuple[Step, ...]
    undo: tuple[Step, ...]


class Looking(Protocol):
    """What kinds read of a stack: rows as mappings."""

    def mariadb(self, sql: str) -> list[dict[str, Any]]:
        """Of the shop's database."""

    def postgres(self, sql: str) -> list[dict[str, Any]]:
        """Of PostgreSQL's."""

    def cassandra(self, cql: str) -> list[dict[str, Any]]:
        """Of the ring."""

    def trino(self, sql: str) -> list[list[Any]]:
        """Of the lake as it is published."""

    def objects(self, bucket: str, prefix: str) -> list[str]:
        """Keys in the object store."""

    def read(self, store: str, place: str) -> bytes:
        """An object ("object", bucket/key) or a file ("file", path)."""

    def files(self, of: str) -> list[str]:
        """Paths of the stack's own files: "ledger", "attachments"."""

    def partitions(self, topic: str) -> list[str]:
        """Of a topic, as topic/number."""

    def records(self, partition: str) -> list[tuple[bytes, bytes]]:
        """What a partition holds: key and value."""

    def has(self, component: str) -> bool:
        """True where it is part of the running stack."""


type Plant = Callable[[Looking, Random], Planted]


@dataclass(frozen=True)
class Kind:
    """needs: components that must be part of the stack."""

    name: str
    plant: Plant
    needs: frozenset[str] = field(default_factory=lambda: frozenset({"mysql"}))


def picked[T](rng: Random, some: Sequence[T], of: str) -> T:
    """One of them. Raises: NothingToPlantOn."""
    if not some:
        raise NothingToPlantOn(f"no {of}")
    return rng.choice(some)


def picked_two[T](rng: Random, some: Sequence[T], of: str) -> tuple[T, T]:
    """Two different ones. Raises: NothingToPlantOn."""
    if len(some) < 2:
        raise NothingToPlantOn(f"no two {of}")
    one, other = rng.sample(list(some), 2)
    return one, other


def named(kinds: Mapping[str, Plant], needs: frozenset[str], prefix: str) -> Iterator[Kind]:
    """Kinds of one family."""
    for name, plant in kinds.items():
        yield Kind(f"{prefix}: {name}", plant, needs)
