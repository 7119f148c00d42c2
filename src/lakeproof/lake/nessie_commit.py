"""A commit in Nessie's history.

This module loads no HTTP client, because `lakeproof ps` reads a commit with the standard library's.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

# The author of each commit of this project.
OURS = "lakeproof"


@dataclass(frozen=True)
class Commit:
    """One entry of a branch's history; `properties` are ours (publish/commit.py names them).

    parent: of a merge commit, which has two in Nessie, the one on this branch.
    author: the name that the committer gave; "" without one.
    merged: True for a merge commit.
    """

    hash: str
    parent: str | None
    at: datetime
    message: str
    properties: Mapping[str, str]
    author: str = ""
    merged: bool = False


def commit_of(entry: Mapping[str, Any]) -> Commit:
    """What one entry of Nessie's history (REST API v2, LogEntry) tells."""
    meta = entry["commitMeta"]
    parents = meta.get("parentCommitHashes") or []
    every = meta.get("allProperties") or {key: [value] for key, value in (meta.get("properties") or {}).items()}
    return Commit(
        hash=meta["hash"],
        parent=entry.get("parentCommitHash") or next(iter(parents), None),
        at=datetime.fromisoformat(meta["commitTime"]),
        message=meta.get("message", ""),
        properties={key: values[0] for key, values in every.items() if values},
        author=next(iter(meta.get("authors") or []), "") or meta.get("author") or "",
        merged=len(parents) > 1,
    )
