"""The published copy of a table's Iceberg metadata.

Paimon writes vN.metadata.json for each of its snapshots (N = snapshot id = Iceberg's snapshot id). Two things are
changed in the copy: `next-row-id`, which Paimon leaves out and readers of v3 demand (0: a reading aid, so no Iceberg
engine may ever write to these tables), and the list of snapshots, cut to the newest ones, for else the copies would
grow with the square of time. Where a manifest lacks sizes, the copy also leads to mended manifests (mending.py),
whose names begin as the copy's does.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import orjson

# How many snapshots back FOR VERSION AS OF finds one; at two per checkpoint of 2 s this is 40 s to 80 s.
SNAPSHOTS_KEPT = 40
FOLDER = "published"
# In the key of a metadata file that Paimon wrote: the id of its snapshot.
METADATA_NUMBER = re.compile(r"/v(\d+)\.metadata\.json$")
_NAME = re.compile(r"/published/\d+-(\d{13})-")


def metadata_folder(database: str, table: str) -> str:
    """Where Paimon writes a table's Iceberg metadata and manifests, in the lake's bucket."""
    return f"wh/iceberg/{database}/{table}/metadata/"


def metadata_key(database: str, table: str, snapshot_id: int) -> str:
    """Where Paimon writes the metadata of that snapshot, in the lake's bucket."""
    return f"{metadata_folder(database, table)}v{snapshot_id}.metadata.json"


def published_prefix(database: str, table: str) -> str:
    """Where the copies of a table lie."""
    return f"wh/iceberg/{database}/{table}/{FOLDER}/"


def published_key(database: str, table: str, at_ms: int, snapshot_id: int, unique: str) -> str:
    """A new copy's name, with its time in ms. Trino wants a number that fits an int before the first dash."""
    return f"{published_prefix(database, table)}{snapshot_id:05d}-{at_ms:013d}-{unique}.metadata.json"


def stem_of(key: str) -> str:
    """How the names of a copy, and of the manifests that were mended for this copy, begin."""
    folder, slash, name = key.rpartition("/")
    return f"{folder}{slash}{name.partition('.')[0]}"


def published_at_ms(key: str) -> int | None:
    """When a copy was made, by its name; None for other objects."""
    found = _NAME.search(key)
    return int(found[1]) if found else None


def read_metadata(text: bytes) -> dict[str, Any]:
    """Parse a metadata file."""
    parsed: dict[str, Any] = orjson.loads(text)
    return parsed


def current_snapshot(metadata: dict[str, Any]) -> dict[str, Any]:
    """The entry of the snapshot that readers see."""
    current = metadata["current-snapshot-id"]
    found: dict[str, Any] = next(entry for entry in metadata["snapshots"] if entry["snapshot-id"] == current)
    return found


def published_copy(
    metadata: dict[str, Any], kept: int = SNAPSHOTS_KEPT, lists: Mapping[int, str] = MappingProxyType({})
) -> bytes:
    """The copy to publish: at most `kept` snapshots, the current one among them, and `next-row-id`.

    lists: snapshot → the mended manifest list to which it leads instead of Paimon's.
    """
    snapshots = [
        entry | {"manifest-list": lists.get(entry["snapshot-id"], entry["manifest-list"])} if lists else entry
        for entry in sorted(metadata["snapshots"], key=lambda entry: entry["snapshot-id"])[-kept:]
    ]
    copy = metadata | {"snapshots": snapshots, "snapshot-log": [], "metadata-log": []}
    copy.setdefault("next-row-id", 0)
    return orjson.dumps(copy)
