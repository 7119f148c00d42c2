"""Judges a published state by what changed since another one that was judged before, instead of reading it whole.

A claim on one order reads that order's rows alone. So only the orders of rows that changed have to be asked about,
and what was broken of the others is broken still. The lake's manifests tell where these rows are:

- a row that is new, or changed, lies in a data file that the state before did not have. The ids found in these files,
  widened to a few ranges, are what is asked about;
- a row that was taken away, and whose order has no row in such a file, is missed so. It shows in the number of rows:
  outside of the ranges each table must have as many as before, by the manifests (rows of the files less what the
  deletion vectors remove) and a count within the ranges.

Where the numbers do not agree, or a deletion vector removes less than it did, the state is read whole.
"""

import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from operator import and_
from typing import Any

from lakeproof.deadline import Deadline
from lakeproof.errors import CouldNotLook
from lakeproof.lake.nessie import NessieUnreachable, Reference, client_of
from lakeproof.lake.publish.commit import PublishedCommit
from lakeproof.lake.publish.history import MAIN
from lakeproof.lake.publish.manifests import ManifestReader, MissingFile
from lakeproof.lake.publish.metadata import read_metadata
from lakeproof.lake.publish.snapshots import get_object
from lakeproof.lake.query.answer import StatementFailed
from lakeproof.lake.query.trino import PinnedTrino, at_snapshot
from lakeproof.proof.tables.order_claims import MOST
from lakeproof.proof.tables.states import Asked, InState, State, snapshots_in
from lakeproof.proof.tables.whole_claims import Broken, WholeClaims
from lakeproof.stack.object_store import bucket_and_key, s3_client
from lakeproof.stack.stack import Stack

log = logging.getLogger(__name__)

# More ids than these are not fetched: then most of a table changed, and it is read whole.
MOST_KEYS = 50_000
# A statement names so many ranges of ids for each table and state at most (Trino takes a million characters).
MOST_RANGES = 40
S3_SECONDS = 10.0

# Table → snapshot: a state of the judged tables.
type Snapshots = Mapping[str, int]
# From and to, both included.
type Range = tuple[int, int]


@dataclass(frozen=True)
class Files:
    """A table's files at one snapshot.

    rows: data file → rows in it. removed: data file → how many of them its deletion vector removes.
    """

    rows: Mapping[str, int]
    removed: Mapping[str, int]

    @property
    def live(self) -> int:
        """How many rows readers see."""
        return sum(self.rows.values()) - sum(self.removed.values())

    def came_from(self, before: "Files") -> bool:
        """Whether no row of a file that both have can have come back: its deletion vector removes as many rows as
        before, or more.
        """
        return all(
            self.removed.get(path, 0) >= number for path, number in before.removed.items() if path in self.rows
        )


class ManifestFiles:
    """The files of tables at their snapshots, by Iceberg's manifests. Reads each manifest once."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._s3: Any = None
        self._readers: dict[tuple[str, str], ManifestReader] = {}

    def of(self, commit: PublishedCommit, database: str, wanted: Iterable[Snapshots]) -> list[dict[str, Files]]:
        """Of each wanted state its tables' files. commit: the hash whose metadata is asked for the snapshots.

        Raises: CouldNotLook where Nessie or the store gives no answer; MissingFile where a snapshot is not known
        there, or a manifest is gone.
        """
        from botocore.exceptions import BotoCoreError, ClientError

        states = [dict(snapshots) for snapshots in wanted]
        tables = sorted({table for snapshots in states for table in snapshots})
        try:
            lists = {
                table: self._manifest_lists(*held) for table, *held in self._metadata_of(commit, database, tables)
            }
            found: dict[tuple[str, int], Files] = {}
            for table, snapshot in {each for snapshots in states for each in snapshots.items()}:
                if snapshot not in lists.get(table, {}):
                    raise MissingFile(f"snapshot {snapshot} of {database}.{table}")
                reader = self._readers.setdefault((database, table), ManifestReader(self._s3))
                found[table, snapshot] = _files(reader, lists[table][snapshot])
        except (BotoCoreError, ClientError) as error:
            raise CouldNotLook(f"{type(error).__name__}", where="object store") from error
        return [{table: found[table, snapshot] for table, snapshot in snapshots.items()} for snapshots in states]

    def _metadata_of(
        self, commit: PublishedCommit, database: str, tables: Sequence[str]
    ) -> Iterable[tuple[str, str]]:
        nessie = client_of(self._stack)
        try:
            held = nessie.contents(Reference("BRANCH", MAIN, commit.hash), database, tables)
        except NessieUnreachable as error:
            raise CouldNotLook(error.what, where=error.where, next_action=error.next_action) from error
        finally:
            nessie.close()
        return [(table, entry.metadata_location) for table, entry in held.items()]

    def _manifest_lists(self, metadata_location: str) -> dict[int, str]:
        if self._s3 is None:
            self._s3 = s3_client(self._stack, timeout_seconds=S3_SECONDS)
        text = get_object(self._s3, bucket_and_key(metadata_location)[1])
        if text is None:
            raise MissingFile(metadata_location)
        return {entry["snapshot-id"]: entry["manifest-list"] for entry in read_metadata(text)["snapshots"]}


def _files(reader: ManifestReader, manifest_list: str) -> Files:
    live = reader.live_files(manifest_list)
    vectors = [one for one in live if not one.is_data]
    if not all(one.removes_from for one in vectors):
        raise MissingFile(f"the data file of a deletion vector, in {manifest_list}")
    return Files(
        {one.path: one.records for one in live if one.is_data}, {one.removes_from: one.records for one in vectors}
    )


def judge_by_changes(
    trino: PinnedTrino,
    pinned: PublishedCommit,
    claims: WholeClaims,
    asked: Sequence[Asked],
    broken: dict[State, InState],
    files: ManifestFiles,
    deadline: Deadline,
) -> None:
    """Add to `broken` what is broken in those of the asked states, of one database and oldest first, that came from
    one that is known there. Where none is, the first of them is read whole and is that one.

    trino: at the hash `pinned`, whose metadata is asked for all of their snapshots.
    Raises: CouldNotLook, StatementFailed.
    """
    if not asked:
        return
    start = _start_of(asked, broken)
    if start is None:
        first, *asked = asked
        sql = claims.lake_sql([first.snapshots])
        (broken[first.state],) = claims.broken_by_place(trino.run(sql, deadline).rows if sql else (), 1)
        start = first.state
    begin = snapshots_in(start, claims)
    alike = [each for each in asked if each.snapshots.keys() == begin.keys()]
    # A row without an id is in no range of ids.
    if not alike or any(each.key is None for each in broken[start]):
        return
    states = [begin, *(each.snapshots for each in alike)]
    try:
        changes = _Changes(trino, claims, states, files.of(pinned, claims.source.name, states), deadline)
        found = changes.judged(broken[start])
    except (MissingFile, StatementFailed) as error:
        log.info("what changed in %s cannot be told, so it is read whole: %s", claims.source.name, error)
        return
    broken |= {each.state: one for each, one in zip(alike, found, strict=True) if one is not None}


def _start_of(asked: Sequence[Asked], known: Mapping[State, InState]) -> State | None:
    """The newest known state of their database that none of these is older than, in any table."""
    claims = asked[0].claims
    oldest = {table: min(each.snapshots.get(table, 0) for each in asked) for table in claims.judged}
    candidates = (
        (sum(held.values()), state)
        for state in known
        if state[0] == claims.source.name
        for held in [snapshots_in(state, claims)]
        if held.keys() == asked[0].snapshots.keys() and all(held[table] <= oldest[table] for table in held)
    )
    return max(candidates, default=(0, None), key=lambda each: each[0])[1]


class _Changes:
    """Statements on what changed between a first state and later ones. files: of each of the states."""

    def __init__(
        self,
        trino: PinnedTrino,
        claims: WholeClaims,
        states: Sequence[Snapshots],
        files: Sequence[Mapping[str, Files]],
        deadline: Deadline,
    ) -> None:
        self._trino, self._claims, self._states, self._files = trino, claims, states, files
        self._deadline = deadline

    def judged(self, broken_at_first: Sequence[Broken]) -> list[InState | None]:
        """What is broken in each state but the first; None of one that has to be read whole."""
        nothing: list[InState | None] = [None] * (len(self._states) - 1)
        asked = self._asked_about()
        if asked is None:
            return nothing
        same = self._same_outside(asked)
        found = self._broken_within(asked)
        if found is None:
            return nothing
        still = [
            each
            for each in broken_at_first
            if not any(each.key is not None and low <= each.key <= high for low, high in asked[each.noun])
        ]
        return [(*still, *broken) if is_same else None for is_same, broken in zip(same, found, strict=True)]

    def _asked_about(self) -> dict[str, list[Range]] | None:
        """Noun → ranges in which all ids lie that have a row in a file that the first state does not have; None where
        these are too many, or a row has no id.
        """
        parts = []
        known = {table: set(held.rows) for table, held in self._files[0].items()}
        for snapshots, held in zip(self._states[1:], self._files[1:], strict=True):
            for table, snapshot in snapshots.items():
                # Whoever sees a row of this file later sees it now, too: rows only leave a file.
                new = held[table].rows.keys() - known[table]
                known[table] |= new
                if new:
                    noun, column = self._claims.subjects[table]
                    paths = ", ".join("'" + path.replace("'", "''") + "'" for path in sorted(new))
                    parts.append(
                        f"SELECT '{noun}' AS noun, {column} AS id"
                        f" FROM {at_snapshot(self._claims.source.name, table, snapshot)}"
                        f' WHERE "$path" IN ({paths})'
                    )
        ids: dict[str, list[int]] = defaultdict(list)
        if parts:
            sql = f"SELECT DISTINCT noun, id FROM ({' UNION ALL '.join(parts)}) AS changed LIMIT {MOST_KEYS}"
            rows = self._trino.run(sql, self._deadline).rows
            if len(rows) >= MOST_KEYS or any(id_ is None for _, id_ in rows):
                return None
            for noun, id_ in rows:
                ids[str(noun)].append(int(id_))
        return {noun: ranges_of(ids[noun]) for noun, _ in self._claims.subjects.values()}

    def _same_outside(self, asked: Mapping[str, Sequence[Range]]) -> list[bool]:
        """Of each state but the first: whether all rows outside of the ranges are those of the first one."""
        counted: dict[tuple[int, str], int] = defaultdict(int)
        parts = [
            f"SELECT {place} AS place, '{table}' AS judged, COUNT(*) AS number FROM {named}"
            for place, snapshots in enumerate(self._states)
            for table, named in self._within(snapshots, asked).items()
            if asked[self._claims.subjects[table][0]]
        ]
        if parts:
            for place, table, number in self._trino.run(" UNION ALL ".join(parts), self._deadline).rows:
                counted[int(place), str(table)] = int(number)
        outside = [
            {table: files.live - counted[place, table] for table, files in held.items()}
            for place, held in enumerate(self._files)
        ]
        # Once a row may have come back, it may be in every later state as well.
        follows = accumulate(
            (
                all(files.came_from(before[table]) for table, files in after.items())
                for before, after in pairwise(self._files)
            ),
            and_,
        )
        return [same and rows == outside[0] for same, rows in zip(follows, outside[1:], strict=True)]

    def _broken_within(self, asked: Mapping[str, Sequence[Range]]) -> list[tuple[Broken, ...]] | None:
        """Of each state but the first, what is broken in it of what is asked about; None where that is too much."""
        states = [self._within(snapshots, asked) for snapshots in self._states[1:]]
        sql = self._claims.states_sql(states) if any(asked.values()) else ""
        rows = self._trino.run(sql, self._deadline).rows if sql else ()
        return None if len(rows) >= MOST else self._claims.broken_by_place(rows, len(states))

    def _within(self, snapshots: Snapshots, asked: Mapping[str, Sequence[Range]]) -> dict[str, str]:
        """Of each table what stands for its rows within the ranges in FROM."""
        found = {}
        for table, snapshot in snapshots.items():
            noun, column = self._claims.subjects[table]
            within = " OR ".join(f"{column} BETWEEN {low} AND {high}" for low, high in asked[noun]) or "1 = 0"
            found[table] = f"(SELECT * FROM {at_snapshot(self._claims.source.name, table, snapshot)} WHERE {within})"
        return found


def ranges_of(ids: Iterable[int], most: int = MOST_RANGES) -> list[Range]:
    """At most so many ranges in which these ids lie, in order, the widest gaps between them left out."""
    ordered = sorted(set(ids))
    if not ordered:
        return []
    gaps = sorted((after - before, before, after) for before, after in pairwise(ordered) if after - before > 1)
    ends = sorted((before, after) for _, before, after in gaps[-(most - 1) :]) if most > 1 else []
    lows = [ordered[0], *(after for _, after in ends)]
    highs = [*(before for before, _ in ends), ordered[-1]]
    return list(zip(lows, highs, strict=True))
