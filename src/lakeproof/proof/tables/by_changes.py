"""Judges a published state by what changed since a state that was judged before, instead of reading it whole.

A claim on one order reads only that order's rows. So only orders with changed rows have to be asked about, and any
other order that was broken is still broken. The lake's manifests tell in which files the changed rows are:

- in the data files that were added and removed. A row that is in only one of these two sets has changed; a row that a
  compaction wrote again is in both. The ids of the changed rows, widened to a few ranges, are asked about;
- in data files that stayed, where a deletion vector hides more rows than before. No manifest tells which rows. An
  order that was changed has a row in a new file as well. A row that was only deleted shows in the number of rows:
  outside of the ranges each table must have as many as before, by the manifests (rows of the files, less the rows
  that deletion vectors hide) and a count within the ranges.

Where the numbers do not agree, or a deletion vector hides fewer rows than before, the state has to be read whole.
"""

import logging
from collections import OrderedDict, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, pairwise
from operator import and_
from typing import Any

from lakeproof.deadline import Deadline
from lakeproof.errors import CouldNotLook
from lakeproof.lake.nessie import Reference, client_of
from lakeproof.lake.publish.commit import PublishedCommit
from lakeproof.lake.publish.history import MAIN
from lakeproof.lake.publish.manifests import ManifestReader, MissingFile
from lakeproof.lake.publish.metadata import read_metadata
from lakeproof.lake.publish.snapshots import get_object
from lakeproof.lake.query.trino import PinnedTrino, at_snapshot
from lakeproof.proof.tables.dialects import literal
from lakeproof.proof.tables.judged_table import MOST
from lakeproof.proof.tables.states import Asked, InState, State, snapshots_in
from lakeproof.proof.tables.whole_claims import Broken, WholeClaims
from lakeproof.stack.object_store import bucket_and_key, s3_client
from lakeproof.stack.stack import Stack

log = logging.getLogger(__name__)

# At most this many changed ids are fetched: with more, most of a table changed, and it is read whole.
MOST_KEYS = 50_000
# A statement names at most this many ranges of ids for each table and state: with forty ranges, Trino planned for ten
# times as long as it read.
MOST_RANGES = 4
# Tables with fewer rows in total are read whole: planning the statements about changes may cost more (decision 0042).
LEAST_ROWS = 200_000
# No other state is judged from one in which more is broken: the answer about that one may have been cut off.
MOST_BROKEN = 1000
S3_SECONDS = 10.0
FILES_KEPT = 200

# Table → snapshot: a state of the judged tables.
type Snapshots = Mapping[str, int]
# The first and the last id, both included.
type Range = tuple[int, int]


@dataclass(frozen=True)
class Files:
    """A table's files at one snapshot.

    rows: data file → rows in it. hidden: data file → how many of its rows a deletion vector hides.
    """

    rows: Mapping[str, int]
    hidden: Mapping[str, int]

    @cached_property
    def live(self) -> int:
        """How many rows readers see."""
        return sum(number - self.hidden.get(path, 0) for path, number in self.rows.items())

    def hides_as_before(self, before: "Files") -> bool:
        """Whether each file that both have has as many hidden rows as before.

        Writers only add rows to a vector. A vector that gave rows back and hid as many others is not noticed.
        """
        return not self._otherwise(before)

    def only_hides_more_than(self, before: "Files") -> bool:
        """Whether no file that both have has fewer hidden rows than before."""
        return all(now > then for now, then in self._otherwise(before))

    def _otherwise(self, before: "Files") -> list[tuple[int, int]]:
        both = self.rows.keys() & before.rows.keys()
        pairs = ((self.hidden.get(path, 0), before.hidden.get(path, 0)) for path in both)
        return [(now, then) for now, then in pairs if now != then]


class Changes:
    """What changed between states. It serves one audit after the other, and keeps the manifests that it has read.

    judged: how many states were judged by their changes. read_whole: how many states were read whole, because no
    earlier state was known, or the changes could not be found, or the tables have fewer rows than `least_rows`.
    """

    def __init__(self, stack: Stack, least_rows: int = LEAST_ROWS) -> None:
        self.judged = self.read_whole = 0
        self.least_rows = least_rows
        self._stack = stack
        self._readers: dict[tuple[str, str], ManifestReader] = {}
        self._files: OrderedDict[str, Files] = OrderedDict()
        self._asked: tuple[str, ...] = ()
        self._lists: dict[str, dict[int, str]] = {}

    def files_of(self, commit: PublishedCommit, database: str, states: Sequence[Snapshots]) -> list[dict[str, Files]]:
        """The files of each state's tables. commit: the hash whose metadata lists the states' snapshots.

        Raises: MissingFile where a snapshot is not listed or a manifest is gone; what the clients of Nessie and of
        the store raise.
        """
        lists = self._manifest_lists(commit, database, sorted({table for state in states for table in state}))
        found = []
        for state in states:
            for table, snapshot in state.items():
                if snapshot not in lists.get(table, {}):
                    raise MissingFile(f"snapshot {snapshot} of {database}.{table}")
            found.append(
                {table: self._read(database, table, lists[table][snapshot]) for table, snapshot in state.items()}
            )
        return found

    @cached_property
    def _s3(self) -> Any:
        return s3_client(self._stack, timeout_seconds=S3_SECONDS)

    def _manifest_lists(
        self, commit: PublishedCommit, database: str, tables: Sequence[str]
    ) -> dict[str, dict[int, str]]:
        """Table → snapshot → its manifest list. The last answer is kept: all questions to one catalog need it."""
        asked = (commit.hash, database, *tables)
        if asked == self._asked:
            return self._lists
        nessie = client_of(self._stack)
        try:
            held = nessie.contents(Reference("BRANCH", MAIN, commit.hash), database, tables)
        finally:
            nessie.close()
        found = {}
        for table, entry in held.items():
            text = get_object(self._s3, bucket_and_key(entry.metadata_location)[1])
            if text is None:
                raise MissingFile(entry.metadata_location)
            found[table] = {one["snapshot-id"]: one["manifest-list"] for one in read_metadata(text)["snapshots"]}
        self._asked, self._lists = asked, found
        return found

    def _read(self, database: str, table: str, manifest_list: str) -> Files:
        if manifest_list not in self._files:
            reader = self._readers.setdefault((database, table), ManifestReader(self._s3))
            live = reader.live_files(manifest_list)
            vectors = [one for one in live if not one.is_data]
            if not all(one.removes_from for one in vectors):
                raise MissingFile(f"the data file of a deletion vector, in {manifest_list}")
            self._files[manifest_list] = Files(
                {one.path: one.records for one in live if one.is_data},
                {one.removes_from: one.records for one in vectors},
            )
            while len(self._files) > FILES_KEPT:
                self._files.popitem(last=False)
        self._files.move_to_end(manifest_list)
        return self._files[manifest_list]


def start_of(asked: Sequence[Asked], known: Mapping[State, InState]) -> State | None:
    """The newest known state from which all the asked states can be judged: it has the same database and tables, and
    none of its tables is newer than in any of them.
    """
    claims, tables = asked[0].claims, asked[0].snapshots.keys()
    if any(each.snapshots.keys() != tables for each in asked):
        return None
    oldest = {table: min(each.snapshots[table] for each in asked) for table in tables}
    candidates = (
        (sum(held.values()), state)
        for state, broken in known.items()
        if state[0] == claims.source.name and len(broken) <= MOST_BROKEN
        for held in [snapshots_in(state, claims)]
        if held.keys() == tables and all(held[table] <= oldest[table] for table in held)
    )
    return max(candidates, default=(0, None), key=lambda each: each[0])[1]


def judge_by_changes(
    trino: PinnedTrino,
    pinned: PublishedCommit,
    asked: Sequence[Asked],
    known: Mapping[State, InState],
    changes: Changes,
    deadline: Deadline,
) -> dict[State, InState] | None:
    """What is broken in these states of one database, by what changed since a known state. States that cannot be
    judged so are left out. None where the tables are so small that reading them whole costs less.

    asked: oldest first. trino: is pinned at the hash `pinned`, whose metadata must list all the states' snapshots.
    Raises: CouldNotLook where Trino gave no answer in time.
    """
    start = start_of(asked, known)
    if start is None:
        return {}
    claims = asked[0].claims
    states = [snapshots_in(start, claims), *(each.snapshots for each in asked)]
    try:
        (newest,) = changes.files_of(pinned, claims.source.name, states[-1:])
        if sum(each.live for each in newest.values()) < changes.least_rows:
            return None
        files = changes.files_of(pinned, claims.source.name, states)
        found = _Between(trino, claims, states, files, deadline).judged(known[start])
    except CouldNotLook:
        raise
    except Exception as error:  # noqa: BLE001 - whatever is wrong with a manifest, a whole look is still possible
        why = f"{type(error).__name__}: {error}"
        log.warning("what changed in %s cannot be told, so it is read whole: %s", claims.source.name, why)
        return {}
    told = {each.state: broken for each, broken in zip(asked, found, strict=True) if broken is not None}
    changes.judged += len(told)
    return told


class _Between:
    """Statements about what changed between states, each the successor of the one before. files: of each state."""

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
        """What is broken in each state except the first; None for a state that has to be read whole."""
        asked = self._asked_about()
        found = None if asked is None else self._broken_within(asked)
        if asked is None or found is None:
            return [None] * (len(self._states) - 1)
        still = [each for each in broken_at_first if not _is_within(each, asked)]
        same = self._same_outside(asked)
        return [(*still, *broken) if is_same else None for is_same, broken in zip(same, found, strict=True)]

    def _asked_about(self) -> dict[str, list[Range]] | None:
        """Noun → ranges that hold the ids of all rows that are in an added file and in no removed one, or the
        reverse. None where there are too many ids, or a row has no id.
        """
        pairs = zip(pairwise(self._states), pairwise(self._files), strict=True)
        parts = [
            part
            for (before, after), (held, holds) in pairs
            for table in after
            if (part := self._changed(table, before[table], after[table], held[table], holds[table]))
        ]
        ids: dict[str, list[int]] = defaultdict(list)
        if parts:
            sql = f"SELECT DISTINCT noun, id FROM ({' UNION ALL '.join(parts)}) AS changed LIMIT {MOST_KEYS}"
            rows = self._trino.run(sql, self._deadline).rows
            if len(rows) >= MOST_KEYS or any(id_ is None for _, id_ in rows):
                return None
            for noun, id_ in rows:
                ids[str(noun)].append(int(id_))
        return {table.noun: ranges_of(ids[table.noun]) for table in self._claims.tables.values()}

    def _changed(self, table: str, before: int, after: int, held: Files, holds: Files) -> str:
        """SQL for the noun and id of each row that changed between two snapshots; "" where no file did. held, holds:
        the table's files before and after.
        """
        judged = self._claims.tables[table]
        came, went = holds.rows.keys() - held.rows.keys(), held.rows.keys() - holds.rows.keys()

        def rows_of(snapshot: int, paths: Iterable[str]) -> str:
            named = at_snapshot(self._claims.source.name, table, snapshot)
            return f'FROM {named} WHERE "$path" IN ({", ".join(map(literal, sorted(paths)))})'

        select = f"SELECT '{judged.noun}' AS noun, {judged.key} AS id"
        if not came or not went:
            paths, snapshot = (came, after) if came else (went, before)
            return f"{select} {rows_of(snapshot, paths)}" if paths else ""
        # Equal rows count as often as they occur: where two of them were removed and one was added, one row changed.
        columns = ", ".join(judged.columns)
        return (
            f"{select} FROM (SELECT {columns}, 1 AS sign {rows_of(after, came)}"
            f" UNION ALL SELECT {columns}, -1 AS sign {rows_of(before, went)}) AS files"
            f" GROUP BY {columns} HAVING SUM(sign) <> 0"
        )

    def _same_outside(self, asked: Mapping[str, Sequence[Range]]) -> list[bool]:
        """For each state except the first: whether all rows outside of the ranges are those of the first state.

        They are the same where no file that stayed hides more rows than before: every changed row of an added or
        removed file is within the ranges.
        """
        hides_more = {
            table
            for before, after in pairwise(self._files)
            for table, files in after.items()
            if not files.hides_as_before(before[table])
        }
        within = {
            (table, snapshot): named
            for snapshots in self._states
            for table, named in self._within(snapshots, asked).items()
            if table in hides_more and asked[self._claims.tables[table].noun]
            for snapshot in [snapshots[table]]
        }
        parts = [
            f"SELECT '{table}' AS judged, {snapshot} AS snapshot, COUNT(*) AS number FROM {named}"
            for (table, snapshot), named in within.items()
        ]
        counted: dict[tuple[str, int], int] = {}
        if parts:
            for table, snapshot, number in self._trino.run(" UNION ALL ".join(parts), self._deadline).rows:
                counted[str(table), int(snapshot)] = int(number)
        outside = [
            {table: held[table].live - counted.get((table, snapshots[table]), 0) for table in hides_more}
            for snapshots, held in zip(self._states, self._files, strict=True)
        ]
        # A row that may have come back in one state may be in every later state as well.
        follows = accumulate(
            (
                all(files.only_hides_more_than(before[table]) for table, files in after.items())
                for before, after in pairwise(self._files)
            ),
            and_,
        )
        return [same and rows == outside[0] for same, rows in zip(follows, outside[1:], strict=True)]

    def _broken_within(self, asked: Mapping[str, Sequence[Range]]) -> list[InState] | None:
        """What is broken within the ranges, in each state except the first; None where the answer may be cut off."""
        states = [self._within(snapshots, asked) for snapshots in self._states[1:]]
        sql = self._claims.states_sql(states) if any(asked.values()) else ""
        rows = self._trino.run(sql, self._deadline).rows if sql else ()
        return None if len(rows) >= MOST else self._claims.broken_by_place(rows, len(states))

    def _within(self, snapshots: Snapshots, asked: Mapping[str, Sequence[Range]]) -> dict[str, str]:
        """Table → the subquery for FROM that gives its rows within the ranges."""
        found = {}
        for table, snapshot in snapshots.items():
            judged = self._claims.tables[table]
            ranges = (f"{judged.key} BETWEEN {low} AND {high}" for low, high in asked[judged.noun])
            within = " OR ".join(ranges) or "1 = 0"
            found[table] = f"(SELECT * FROM {at_snapshot(self._claims.source.name, table, snapshot)} WHERE {within})"
        return found


def _is_within(broken: Broken, asked: Mapping[str, Sequence[Range]]) -> bool:
    """A row without an id is in no range: where such a row changed, the states are read whole."""
    key = broken.key
    return key is not None and any(low <= key <= high for low, high in asked[broken.noun])


def ranges_of(ids: Iterable[int], most: int = MOST_RANGES) -> list[Range]:
    """At most `most` ranges that hold all these ids, in order; the widest gaps between the ids are left out."""
    ordered = sorted(set(ids))
    if not ordered:
        return []
    gaps = sorted((after - before, before, after) for before, after in pairwise(ordered) if after - before > 1)
    ends = sorted((before, after) for _, before, after in gaps[-(most - 1) :]) if most > 1 else []
    lows = [ordered[0], *(after for _, after in ends)]
    highs = [*(before for before, _ in ends), ordered[-1]]
    return list(zip(lows, highs, strict=True))
