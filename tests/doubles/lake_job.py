"""A database's job and Paimon under it, without Flink: what was committed goes into files as Paimon writes them.

At a checkpoint each table gets the snapshots that cut.py tells of: an APPEND, whose rows lie in level 0, and a
COMPACT, which moves them up to where readers see them; without new rows one empty APPEND. Data files hold JSON here.
"""

import io
import json
import sqlite3
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import fastavro
from tests.doubles.folder_store import FolderStore
from tests.doubles.sqlite_engine import captured

from lakeproof.errors import CouldNotLook
from lakeproof.lake.job.sql_files import SqlFile
from lakeproof.lake.publish.beat import HEARTBEAT_TABLE
from lakeproof.lake.publish.manifests import ManifestReader
from lakeproof.lake.publish.metadata import current_snapshot, metadata_folder, metadata_key, read_metadata
from lakeproof.lake.publish.snapshots import Kind, get_object
from lakeproof.stack.object_store import bucket_and_key

type Row = tuple[Any, ...]
WRITER = "job"


class Fault(StrEnum):
    """What may become of one table's checkpoint."""

    LATE = "late"
    """The table has no snapshot of it: its rows come with the next one."""
    NOT_COMPACTED = "not compacted"
    """The job died between APPEND and COMPACT."""
    IN_PART = "compacted in part"
    """The COMPACT leaves a bucket out, whose new rows stay in level 0."""
    FILE_LOST = "file lost"
    """A data file that the snapshot needs is not there."""


@dataclass
class _Table:
    """One lake table. visible: the rows that readers see. total: as Paimon counts, in all levels."""

    name: str
    columns: Sequence[str]
    has_key: bool
    snapshot: int = 0
    total: int = 0
    visible: list[Row] = field(default_factory=list)
    written: list[Row] = field(default_factory=list)
    file: dict[str, Any] | None = None
    metadata: list[dict[str, Any]] = field(default_factory=list)


class LakeJob:
    """Takes what `database` committed into the tables of `lake`, a connection, and writes them at checkpoints.

    What somebody does to the tables of `lake` in between is written likewise.
    """

    def __init__(self, store: FolderStore, name: str, database: sqlite3.Connection, lake: sqlite3.Connection) -> None:
        self._store, self._name, self._database, self._lake = store, name, database, lake
        self._files = {file.table: file for file in captured(name)}
        self._seen: dict[str, Counter[Row]] = {table: Counter() for table in self._files}
        tables = [_Table(file.table, list(file.columns), file.has_key) for file in self._files.values()]
        self._tables = {table.name: table for table in tables}
        self._heartbeat = _Table(HEARTBEAT_TABLE, ["id", "beat_us", "gtid"], has_key=True)
        for table in (*tables, self._heartbeat):
            key = ["id"] if table.has_key else []
            self._store.put(f"{self._folder(table)}/schema/schema-0", json.dumps({"primaryKeys": key}).encode())

    def checkpoint(self, number: int, beat_us: int, faults: Mapping[str, Fault]) -> None:
        """beat_us: the newest heartbeat that the checkpoint holds."""
        for name, file in self._files.items():
            table = self._tables[name]
            if (fault := faults.get(name)) is not Fault.LATE:
                self._take(file)
                rows = self._lake.execute(f"SELECT * FROM {self._name}.{name}").fetchall()
                self._write(table, number, beat_us, rows, fault)
        self._write(self._heartbeat, number, beat_us, [(1, beat_us, f"0-1-{number}")], faults.get(HEARTBEAT_TABLE))

    def _take(self, file: SqlFile) -> None:
        """Bring what the database committed since the table's last checkpoint into the lake's table."""
        now = Counter(self._database.execute(f"SELECT * FROM {file.source}").fetchall())
        came, gone = now - self._seen[file.table], self._seen[file.table] - now
        self._seen[file.table] = now
        names = list(file.columns)
        for row in gone if file.has_key else ():
            where = " AND ".join(f'"{column}" = ?' for column in file.key)
            key = [row[names.index(column)] for column in file.key]
            self._lake.execute(f"DELETE FROM {self._name}.{file.table} WHERE {where}", key)
        if not file.has_key:
            # As the aligner: such a table only takes new rows; a change of one is refused.
            came = Counter({row: count for row, count in came.items() if row[0] not in {old[0] for old in gone}})
        marks = ", ".join("?" * len(names))
        self._lake.executemany(f"REPLACE INTO {self._name}.{file.table} VALUES ({marks})", came.elements())

    def _write(self, table: _Table, number: int, at_us: int, rows: list[Row], fault: Fault | None) -> None:
        before, now = Counter(table.written), Counter(rows)
        changed = sum((now - before).values()) + sum((before - now).values())
        table.written, table.total = rows, table.total + changed
        if not table.has_key:
            table.total = len(rows)
            self._show(table, rows)
        self._commit(table, number, at_us, Kind.APPEND, changed)
        if table.has_key and table.visible != rows and fault is not Fault.NOT_COMPACTED:
            table.total = len(rows)
            if fault is not Fault.IN_PART:
                self._show(table, rows)
            self._commit(table, number, at_us, Kind.COMPACT, 0)
        if fault is Fault.FILE_LOST and table.file is not None:
            self._store.remove(bucket_and_key(table.file["file_path"])[1])

    def _show(self, table: _Table, rows: list[Row]) -> None:
        """Write the rows into a data file, which readers see from the next snapshot on."""
        if rows == table.visible:
            return
        content = json.dumps([dict(zip(table.columns, row, strict=True)) for row in rows]).encode()
        path = self._store.put(f"{self._folder(table)}/bucket-0/data-{table.snapshot + 1}.json", content)
        bounds = zip(range(1, 1 + len(table.columns)), rows[-1] if rows else (), strict=False)
        table.visible = rows
        table.file = {
            "content": 0,
            "file_path": path,
            "file_size_in_bytes": len(content),
            "record_count": len(rows),
            "upper_bounds": [{"key": key, "value": _bound(value)} for key, value in bounds if value is not None],
            "referenced_data_file": None,
        }

    def _commit(self, table: _Table, checkpoint: int, at_us: int, kind: Kind, delta: int) -> None:
        """One snapshot: Paimon's file, and Iceberg's metadata beside it."""
        table.snapshot += 1
        number, folder = table.snapshot, metadata_folder(self._name, table.name)
        live = [] if table.file is None else [{"status": 1, "sequence_number": number, "data_file": table.file}]
        manifest = self._store.put(f"{folder}manifest-{number}.avro", _avro(_MANIFEST, live))
        entry = {"manifest_path": manifest, "content": 0, "sequence_number": number}
        listed = self._store.put(f"{folder}snap-{number}.avro", _avro(_LIST, [entry]))
        table.metadata.append({"snapshot-id": number, "schema-id": 0, "manifest-list": listed})
        fields = [{"id": place, "name": name} for place, name in enumerate(table.columns, 1)]
        metadata = {
            "current-snapshot-id": number,
            "snapshots": table.metadata,
            "schemas": [{"schema-id": 0, "fields": fields}],
            **dict.fromkeys(("current-schema-id", "default-spec-id", "default-sort-order-id"), 0),
        }
        self._store.put(metadata_key(self._name, table.name, number), json.dumps(metadata).encode())
        snapshot = {"id": number, "commitIdentifier": checkpoint, "commitKind": kind, "commitUser": WRITER}
        counts = {"deltaRecordCount": delta, "totalRecordCount": table.total, "timeMillis": at_us // 1000}
        place = f"{self._folder(table)}/snapshot"
        self._store.put(f"{place}/snapshot-{number}", json.dumps(snapshot | {"schemaId": 0} | counts).encode())
        self._store.put(f"{place}/LATEST", str(number).encode())

    def _folder(self, table: _Table) -> str:
        return f"wh/{self._name}.db/{table.name}"


def rows_of(store: FolderStore, metadata_location: str) -> list[dict[str, Any]]:
    """What a reader sees by a table's metadata. Raises: CouldNotLook where a file is gone."""
    metadata = read_metadata(_content(store, metadata_location))
    files = ManifestReader(store).live_files(current_snapshot(metadata)["manifest-list"])
    return [row for file in files for row in json.loads(_content(store, file.path))]


def _content(store: FolderStore, address: str) -> bytes:
    content = get_object(store, bucket_and_key(address)[1])
    if content is None:
        raise CouldNotLook(f"{address} is missing", where="lake")
    return content


def _bound(value: object) -> bytes:
    return value.to_bytes(8, "little", signed=True) if isinstance(value, int) else str(value).encode()


def _avro(schema: dict[str, Any], records: Sequence[dict[str, Any]]) -> bytes:
    out = io.BytesIO()
    fastavro.writer(out, schema, records)
    return out.getvalue()


def _record(name: str, **fields: object) -> dict[str, Any]:
    return {"type": "record", "name": name, "fields": [{"name": key, "type": of} for key, of in fields.items()]}


_LIST = _record("entry", manifest_path="string", content="int", sequence_number="long")
_MANIFEST = _record(
    "line",
    status="int",
    sequence_number="long",
    data_file=_record(
        "file",
        content="int",
        file_path="string",
        file_size_in_bytes="long",
        record_count="long",
        upper_bounds={"type": "array", "items": _record("bound", key="int", value="bytes")},
        referenced_data_file=["null", "string"],
    ),
)
