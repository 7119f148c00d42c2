"""A kind of corruption: where it is planted, how, and how it is taken out again. All of it is data.

A round's steps are written into the hunt's journal before the first one is done, so that the next hunt can take out
the damage of a killed one.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, Protocol


class NothingToPlantOn(Exception):
    """The stack holds nothing that this kind could corrupt; the message says why."""


class AlreadySo(Exception):
    """A store is already in the state that a step would bring about."""


@dataclass(frozen=True, slots=True)
class Step:
    """One change of one store.

    store: a store's name in stores.py.
    text: SQL, CQL, or the new bytes as hexadecimal digits ("" deletes the object or file); for others see stores.py.
    place: the file, object or partition; "" for databases.
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
    """What one round does.

    what: the damage in words. do: steps that plant it. undo: steps that take it out.
    keys: the check must name one of them; empty where no key can be known (a file that no engine can read any more).
    """

    what: str
    keys: tuple[str, ...]
    do: tuple[Step, ...]
    undo: tuple[Step, ...]


class Looking(Protocol):
    """What kinds may read of a stack."""

    def mariadb(self, sql: str) -> list[dict[str, Any]]:
        """Rows of the shop's database."""

    def postgres(self, sql: str) -> list[dict[str, Any]]:
        """Rows of PostgreSQL."""

    def cassandra(self, cql: str) -> list[dict[str, Any]]:
        """Rows of Cassandra."""

    def trino(self, sql: str) -> list[list[Any]]:
        """Rows of the lake in its newest published state."""

    def objects(self, bucket: str, prefix: str) -> list[str]:
        """Keys in the object store."""

    def read(self, store: str, place: str) -> bytes:
        """The content of an object ("object", bucket/key) or of a file ("file", path)."""

    def files(self, of: str) -> list[str]:
        """Paths of the stack's own files: "ledger", "attachments"."""

    def partitions(self, topic: str) -> list[str]:
        """The partitions of a topic, as topic/number."""

    def records(self, partition: str) -> list[tuple[bytes, bytes]]:
        """Key and value of each record of a partition (topic/number)."""

    def has(self, component: str) -> bool:
        """True where the component is part of the running stack."""


type Plant = Callable[[Looking, Random], Planted]


@dataclass(frozen=True)
class Kind:
    """A kind of corruption. needs: components that must be part of the stack."""

    name: str
    plant: Plant
    needs: frozenset[str] = field(default_factory=lambda: frozenset({"mysql"}))


def picked[T](rng: Random, some: Sequence[T], of: str) -> T:
    """A random one of `some`. of: what they are, for the message. Raises: NothingToPlantOn where there is none."""
    if not some:
        raise NothingToPlantOn(f"no {of}")
    return rng.choice(some)


def picked_two[T](rng: Random, some: Sequence[T], of: str) -> tuple[T, T]:
    """Two different ones of `some`, at random. Raises: NothingToPlantOn."""
    if len(some) < 2:
        raise NothingToPlantOn(f"no two {of}")
    one, other = rng.sample(list(some), 2)
    return one, other


def named(kinds: Mapping[str, Plant], needs: frozenset[str], prefix: str) -> Iterator[Kind]:
    """A Kind for each plant function, named `prefix: name`."""
    for name, plant in kinds.items():
        yield Kind(f"{prefix}: {name}", plant, needs)
