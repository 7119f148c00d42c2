"""A Nessie in memory."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from lakeproof.lake.nessie import (
    IcebergTable,
    Merged,
    NessieConflict,
    NoSuchReference,
    NothingToMerge,
    Reference,
)
from lakeproof.lake.nessie_commit import OURS, Commit

AT = datetime(2026, 11, 26, tzinfo=UTC)
# Where a branch of Nessie stands that has no commit: its history is empty there.
NO_COMMIT = "2e1cfa82b035c26cbbbdae632cea070514eb8b773f616aaeaf668e2f0be8f10d"


@dataclass
class Nessie:
    """Commits by hash, branches and tags by name, and the tables (NAMESPACE.TABLE) that each commit shows.

    It merges as Nessie 0.99.0 was seen to: only those tables that differ between the source and what was last merged
    of it, compared by what they hold; and it says so where there are none.
    """

    commits: dict[str, Commit] = field(default_factory=dict)
    tables: dict[str, dict[str, IcebergTable]] = field(default_factory=dict)
    names: dict[str, Reference] = field(default_factory=dict)
    merged: dict[str, str] = field(default_factory=dict)
    """Merge commit → the hash of the source that it brought in."""

    def add(
        self,
        branch: str,
        shown: Mapping[str, IcebergTable],
        properties: Mapping[str, str],
        author: str = OURS,
        message: str = "",
    ) -> str:
        name = f"{len(self.commits):016x}"
        held = self.names.get(branch)
        at = AT + timedelta(seconds=len(self.commits))
        self.commits[name] = Commit(name, held.hash if held else None, at, message, dict(properties), author)
        self.tables[name] = dict(shown)
        self.names[branch] = Reference("BRANCH", branch, name)
        return name

    def close(self) -> None: ...

    def reference(self, name: str) -> Reference:
        if name not in self.names:
            raise NoSuchReference("not found", where=name)
        return self.names[name]

    def references(self) -> list[Reference]:
        return list(self.names.values())

    def create_reference(self, kind: Any, name: str, source: Reference) -> Reference:
        if name in self.names:
            raise NessieConflict("taken", where=name)
        self.names[name] = Reference(kind, name, source.hash)
        return self.names[name]

    def assign(self, branch: Reference, to_hash: str) -> Reference:
        if self.names[branch.name].hash != branch.hash:
            raise NessieConflict("moved", where=branch.name)
        self.names[branch.name] = replace(branch, hash=to_hash)
        return self.names[branch.name]

    def lineage(self, commit: str | None) -> Iterator[Commit]:
        while commit is not None and commit != NO_COMMIT:
            yield self.commits[commit]
            commit = self.commits[commit].parent

    def history(self, name: str, limit: int, *, at_hash: str | None = None, at_a_time: int = 250) -> Iterator[Commit]:
        yield from islice(self.lineage(at_hash or self.reference(name).hash), limit)

    def holds(self, name: str, commit: str) -> bool:
        return any(one.hash == commit for one in self.history(name, 1000))

    def has_namespace(self, reference: Reference, name: str) -> bool:
        return True

    def contents(self, reference: Reference, namespace: str, tables: Sequence[str]) -> dict[str, IcebergTable]:
        held = self.tables[reference.hash]
        return {table: held[f"{namespace}.{table}"] for table in tables if f"{namespace}.{table}" in held}

    def commit_tables(
        self, branch: Reference, namespace: str, tables: Any, message: str, properties: Any, author: str = OURS
    ) -> Reference:
        return self.commit_all(branch, {namespace: tables}, message, properties, author)

    def commit_all(
        self, branch: Reference, tables: Any, message: str, properties: Any, author: str = OURS
    ) -> Reference:
        now, expected = self.tables[self.names[branch.name].hash], self.tables[branch.hash]
        puts = {f"{namespace}.{name}": table for namespace, of in tables.items() for name, table in of.items()}
        if any(now.get(name) != expected.get(name) for name in puts):
            raise NessieConflict("moved", where=branch.name)
        self.add(branch.name, now | puts, properties, author, message)
        return self.names[branch.name]

    def merge(
        self, source: Reference, target: Reference, message: str, properties: Any, *, over_others: bool = False
    ) -> Merged:
        onto = self.names[target.name].hash
        last = next((self.merged[one.hash] for one in self.lineage(onto) if one.hash in self.merged), None)
        before, now = self.tables[last] if last else {}, self.tables[onto]
        changed = {name: one for name, one in self.tables[source.hash].items() if before.get(name) != one}
        if not changed:
            raise NothingToMerge("nothing differs", where=target.name)
        if not over_others and any(now.get(name) != before.get(name) for name in changed):
            raise NessieConflict("changed in conflict", where=target.name)
        made = self.add(target.name, now | changed, properties, message=message)
        self.commits[made] = replace(self.commits[made], merged=True)
        self.merged[made] = source.hash
        return Merged(self.names[target.name], onto)
