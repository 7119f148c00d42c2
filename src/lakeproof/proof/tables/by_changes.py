"""Judges a published state by what changed since another one that was judged before, instead of reading it whole.

A claim on one order reads that order's rows alone. So only the orders of rows that changed have to be asked about,
and what was broken of the others is broken still. The lake's manifests tell where such rows are:

- in the data files that came and in those that went. What is in the one and not in the other changed; what a
  compaction wrote anew did not. The ids of changed rows, widened to a few ranges, are what is asked about;
- in data files that stayed, of which a deletion vector hides more rows than before. Which ones, no manifest tells. An
  order that was changed has a row in a new file as well. Where a row was only taken away, the number of rows tells:
  outside of the ranges each table must have as many as before, by the manifests (rows of the files, less what the
  deletion vectors hide) and a count within the ranges.

Where the numbers do not agree, or a deletion vector hides less than it did, the state has to be read whole.
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
from lakeproof.proof.tables.order_claims import MOST
from lakeproof.proof.tables.states import Asked, InState, State, snapshots_in
from lakeproof.proof.tables.whole_claims import Broken, WholeClaims
from lakeproof.stack.object_store import bucket_and_key, s3_client
from lakeproof.stack.stack import Stack

log = logging.getLogger(__name__)

# More ids than these are not fetched: then most of a table changed, and it is read whole.
MOST_KEYS = 50_000
# A statement names so many ranges of ids for each table and state at most: with forty Trino planned for ten times as
# long as it read.
MOST_RANGES = 4
# Tables with fewer rows in all are read whole: planning what is asked of changes may cost more (decision 0042).
LEAST_ROWS = 200_000
# From a state in which more is broken no other one is judged: the answer that told of it may have been cut off.
MOST_BROKEN = 1000
S3_SECONDS = 10.0
FILES_KEPT = 200

# Table → snapshot: a state of the judged tables.
type Snapshots = Mapping[str, int]
# From and to, both included.
type Range = tuple[int, int]


@dataclass(frozen=True)
class Files:
    """A table's files at one snapshot.

    rows: data file → rows in it. hidden: data file → how many of them its deletion vector hides.
    """

    rows: Mapping[str, int]
    hidden: Mapping[str, int]

    @cached_property
    def live(self) -> int:
        """How many rows readers see."""
        return sum(number - self.hidden.get(path, 0) for path, number in self.rows.items())

    def hides_as_before(self, before: "Files") -> bool:
        """Whether no deletion vector of a file that both have hides more rows than before, or fewer.

        A writer only ever adds to a vector. One that took rows back and hid as many others is not noticed.
        """
        return not self._otherwise(before)

    def only_hides_more_than(self, before: "Files") -> bool:
        """Whether the deletion vector of each file that both have hides as many rows as before, or more."""
        return all(now > then for now, then in self._otherwise(before))

    def _otherwise(self, before: "Files") -> list[tuple[int, int]]:
        both = self.rows.keys() & before.rows.keys()
        pairs = ((self.hidden.get(path, 0), before.hidden.get(path, 0)) for path in both)
        return [(now, then) for now, then in pairs if now != then]


class Changes:
    """What changed between states, for one audit after the other: keeps what it read of manifests.

    judged: how many states were judged by what changed. read_whole: how many were read whole, since none was known
    that they came from, or what changed could not be told, or the tables have fewer rows than `least_rows`.
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
        """Of each state its tables' files. commit: the hash whose metadata knows their snapshots.

        Raises: MissingFile where it does not, or where a manifest is gone; what the clients of Nessie and of the
        store raise.
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
        """Table → snapshot → its manifest list. The last answer is kept: all that is asked in a catalog needs it."""
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
    """The newest known state of their database from which all of these can be judged: none of them is older than it,
    in any table, and they have the same tables.
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
    """What is broken in these states of one database, oldest first, by what changed since a known one. Those of which
    that cannot be told are left out.

    trino: at the hash `pinned`, whose metadata is asked for all of their snapshots. None where their tables are so
    small that reading them whole costs less.
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
    """Statements on what changed between states, each of which came from the one before. files: of each of them."""

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
        asked = self._asked_about()
        found = None if asked is None else self._broken_within(asked)
        if asked is None or found is None:
            return [None] * (len(self._states) - 1)
        still = [each for each in broken_at_first if not _is_within(each, asked)]
        same = self._same_outside(asked)
        return [(*still, *broken) if is_same else None for is_same, broken in zip(same, found, strict=True)]

    def _asked_about(self) -> dict[str, list[Range]] | None:
        """Noun → ranges in which the ids of all rows lie that are in a file that came and in none that went, or the
        other way round; None where these are too many, or a row has no id.
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
        """Selects the noun and id of each row that changed between two snapshots of a table; "" where no file did."""
        judged = self._claims.tables[table]
        came, went = holds.rows.keys() - held.rows.keys(), held.rows.keys() - holds.rows.keys()

        def rows_of(snapshot: int, paths: Iterable[str]) -> str:
            named = at_snapshot(self._claims.source.name, table, snapshot)
            return f'FROM {named} WHERE "$path" IN ({", ".join(map(_quoted, sorted(paths)))})'

        select = f"SELECT '{judged.noun}' AS noun, {judged.key} AS id"
        if not came or not went:
            paths, snapshot = (came, after) if came else (went, before)
            return f"{select} {rows_of(snapshot, paths)}" if paths else ""
        # Rows that are alike count as often as they are there: of two that went and one that came, one changed.
        columns = ", ".join(judged.columns)
        return (
            f"{select} FROM (SELECT {columns}, 1 AS sign {rows_of(after, came)}"
            f" UNION ALL SELECT {columns}, -1 AS sign {rows_of(before, went)}) AS files"
            f" GROUP BY {columns} HAVING SUM(sign) <> 0"
        )

    def _same_outside(self, asked: Mapping[str, Sequence[Range]]) -> list[bool]:
        """Of each state but the first: whether all rows outside of the ranges are those of the first one.

        Where no file that stayed hides more, they are: what is in a file that came or went is in the ranges.
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
        # Once a row may have come back, it may be in every later state as well.
        follows = accumulate(
            (
                all(files.only_hides_more_than(before[table]) for table, files in after.items())
                for before, after in pairwise(self._files)
            ),
            and_,
        )
        return [same and rows == outside[0] for same, rows in zip(follows, outside[1:], strict=True)]

    def _broken_within(self, asked: Mapping[str, Sequence[Range]]) -> list[InState] | None:
        """Of each state but the first, what is broken in it of what is asked about; None where that is too much."""
        states = [self._within(snapshots, asked) for snapshots in self._states[1:]]
        sql = self._claims.states_sql(states) if any(asked.values()) else ""
        rows = self._trino.run(sql, self._deadline).rows if sql else ()
        return None if len(rows) >= MOST else self._claims.broken_by_place(rows, len(states))

    def _within(self, snapshots: Snapshots, asked: Mapping[str, Sequence[Range]]) -> dict[str, str]:
        """Of each table what stands for its rows within the ranges in FROM."""
        found = {}
        for table, snapshot in snapshots.items():
            judged = self._claims.tables[table]
            ranges = (f"{judged.key} BETWEEN {low} AND {high}" for low, high in asked[judged.noun])
            within = " OR ".join(ranges) or "1 = 0"
            found[table] = f"(SELECT * FROM {at_snapshot(self._claims.source.name, table, snapshot)} WHERE {within})"
        return found


def _is_within(broken: Broken, asked: Mapping[str, Sequence[Range]]) -> bool:
    """A row without an id is in no range: where one changed, nothing is judged by what changed."""
    key = broken.key
    return key is not None and any(low <= key <= high for low, high in asked[broken.noun])


def _quoted(path: str) -> str:
    return "'" + path.replace("'", "''") + "'"


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
