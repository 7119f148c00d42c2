"""A small client of Nessie's REST API v2: references, commits with properties, merges, history.

Every call has a timeout. `NessieUnreachable` means that Nessie is away, too slow or stopped, `NessieConflict` that
another writer was first, `NoSuchReference` that a reference or hash is unknown.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from typing import Any, Literal

import httpx

from lakeproof.errors import InvalidInput, LakeproofError, TerminalError, TransientError
from lakeproof.lake.nessie_commit import OURS, Commit, commit_of
from lakeproof.stack.stack import Stack

# `holds` asks for this many commits first: the commit that it looks for is usually near the head.
NEAR = 5
WHOLE_HISTORY = 1_000_000
# `holds` ends its search at a commit that is older than the wanted one by more than this, since Nessie's clock may
# have been set back a little.
CLOCK_STEP = timedelta(seconds=60)


class NessieUnreachable(TransientError):
    """Nessie gave no usable answer in time."""


class NessieConflict(TransientError):
    """Somebody else moved the branch or the same tables first."""


class NothingToMerge(NessieConflict):
    """The source has changed no table since the last merge from it, whatever the target shows of these tables."""


class NoSuchReference(InvalidInput):
    """No branch, tag or commit of that name or hash."""


@dataclass(frozen=True)
class Reference:
    """A branch or a tag, and the commit it points at."""

    kind: Literal["BRANCH", "TAG", "DETACHED"]
    name: str
    hash: str


@dataclass(frozen=True)
class Merged:
    """What a merge has done.

    head: the target after the merge.
    onto: the target's hash just before the merge. It need not be the expected one: Nessie also merges onto a target
    that others have moved, unless both have changed the same table.
    """

    head: Reference
    onto: str


@dataclass(frozen=True)
class IcebergTable:
    """Where a table's metadata lies, as Nessie holds it. `content_id` is None for a table that is new to Nessie."""

    metadata_location: str
    snapshot_id: int
    schema_id: int
    spec_id: int
    sort_order_id: int
    content_id: str | None = None


class NessieClient:
    """Talks to one Nessie. Safe to use from several threads."""

    def __init__(self, url: str, timeout_seconds: float = 5.0) -> None:
        self.url = url.rstrip("/")
        # A TLS context costs 20 ms of a core, and without TLS nobody needs one (stack/loopback.py).
        secure = self.url.startswith("https:")
        self._http = httpx.Client(
            base_url=f"{self.url}/api/v2", timeout=timeout_seconds, verify=secure, trust_env=False
        )

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def reference(self, name: str) -> Reference:
        """The branch or tag `name`. Raises: NoSuchReference, NessieUnreachable."""
        return _reference(self._call("GET", f"/trees/{name}")["reference"])

    def references(self) -> list[Reference]:
        """All branches and tags. Raises: NessieUnreachable."""
        return [_reference(entry) for entry in self._pages("/trees", "references")]

    def create_reference(self, kind: Literal["BRANCH", "TAG"], name: str, source: Reference) -> Reference:
        """A new branch or tag at `source`'s hash. Raises: NessieConflict where the name is taken."""
        body = {"type": "BRANCH", "name": source.name, "hash": source.hash}
        made = self._call("POST", "/trees", params={"name": name, "type": kind}, body=body)
        return _reference(made["reference"])

    def delete(self, reference: Reference) -> None:
        """Take the branch or tag away. Its commits stay.

        Raises: NessieConflict where it has moved since it was read; NoSuchReference, NessieUnreachable.
        """
        self._call("DELETE", f"/trees/{reference.name}@{reference.hash}", params={"type": reference.kind})

    def assign(self, branch: Reference, to_hash: str) -> Reference:
        """Make the branch point at commit `to_hash`, which need not be in the branch's history.

        Raises: NessieConflict where the branch has moved since `branch` was read; NoSuchReference, NessieUnreachable.
        """
        body = {"type": "DETACHED", "hash": to_hash}
        path = f"/trees/{branch.name}@{branch.hash}"
        return _reference(self._call("PUT", path, params={"type": "BRANCH"}, body=body)["reference"])

    def create_namespace(self, branch: Reference, name: str) -> Reference:
        """A commit that adds the namespace. Raises: NessieConflict."""
        content = {"type": "NAMESPACE", "elements": [name], "properties": {}}
        operation = {"type": "PUT", "key": {"elements": [name]}, "content": content}
        return self._commit(branch, f"create namespace {name}", {}, [operation])

    def has_namespace(self, reference: Reference, name: str) -> bool:
        """True where the namespace exists at that commit."""
        body = {"requestedKeys": [{"elements": [name]}]}
        found = self._call("POST", f"/trees/{reference.name}@{reference.hash}/contents", body=body)
        return bool(found["contents"])

    def tables(self, reference: str) -> list[str]:
        """`namespace.table` of every table that a branch or tag holds. Raises: NoSuchReference, NessieUnreachable."""
        entries = self._pages(f"/trees/{reference}/entries", "entries")
        return [".".join(each["name"]["elements"]) for each in entries if each["type"] != "NAMESPACE"]

    def contents(self, reference: Reference, namespace: str, tables: Sequence[str]) -> dict[str, IcebergTable]:
        """What Nessie holds of these tables at that commit; absent ones are left out."""
        keys = [{"elements": [namespace, table]} for table in tables]
        path = f"/trees/{reference.name}@{reference.hash}/contents"
        found = self._call("POST", path, body={"requestedKeys": keys})
        tables_found = {}
        for entry in found["contents"]:
            content = entry["content"]
            if content["type"] == "ICEBERG_TABLE":
                tables_found[entry["key"]["elements"][-1]] = IcebergTable(
                    metadata_location=content["metadataLocation"],
                    snapshot_id=content["snapshotId"],
                    schema_id=content["schemaId"],
                    spec_id=content["specId"],
                    sort_order_id=content["sortOrderId"],
                    content_id=content["id"],
                )
        return tables_found

    def commit_tables(
        self,
        branch: Reference,
        namespace: str,
        tables: Mapping[str, IcebergTable],
        message: str,
        properties: Mapping[str, str],
        author: str = OURS,
    ) -> Reference:
        """One commit that moves all `tables`, from exactly `branch.hash` on.

        Raises: NessieConflict where somebody else moved one of these tables since; NessieUnreachable.
        """
        return self.commit_all(branch, {namespace: tables}, message, properties, author)

    def commit_all(
        self,
        branch: Reference,
        tables: Mapping[str, Mapping[str, IcebergTable]],
        message: str,
        properties: Mapping[str, str],
        author: str = OURS,
    ) -> Reference:
        """As `commit_tables`, for several namespaces. tables: namespace → table → where its metadata lies."""
        puts = [_put(namespace, name, table) for namespace, of in tables.items() for name, table in of.items()]
        return self._commit(branch, message, properties, puts, author)

    def drop_table(self, branch: Reference, namespace: str, table: str, message: str, author: str) -> Reference:
        """One commit that takes the table out of the branch; its files stay. Raises: as `commit_tables`."""
        drop = {"type": "DELETE", "key": {"elements": [namespace, table]}}
        return self._commit(branch, message, {}, [drop], author)

    def merge(
        self,
        source: Reference,
        target: Reference,
        message: str,
        properties: Mapping[str, str],
        *,
        over_others: bool = False,
    ) -> Merged:
        """Bring `source` into `target` as one commit that carries `properties`.

        Only the tables that `source` has changed since its last merge are merged. The other tables stay as `target`
        has them, however old. over_others: where both have changed a table, the source's state wins.
        Raises: NessieConflict where `target` has changed the same tables; NothingToMerge; NessieUnreachable.
        """
        body = {
            "fromRefName": source.name,
            "fromHash": source.hash,
            "defaultKeyMergeMode": "FORCE" if over_others else "NORMAL",
            "commitMeta": _commit_meta(message, properties),
        }
        answer = self._call("POST", f"/trees/{target.name}@{target.hash}/history/merge", body=body)
        if not answer.get("wasApplied", False):
            raise NothingToMerge("the merge was not applied", where=f"{source.name} → {target.name}")
        head = Reference("BRANCH", target.name, answer["resultantTargetHash"])
        return Merged(head, answer.get("effectiveTargetHash") or target.hash)

    def history(
        self, reference: str, limit: int, *, at_hash: str | None = None, at_a_time: int = 250
    ) -> Iterator[Commit]:
        """The newest `limit` commits of `reference`, or those from `at_hash` back; newest first.

        at_a_time: how many Nessie is asked for at once, 250 at most.
        Raises: NoSuchReference, NessieUnreachable.
        """
        path = f"/trees/{reference}{'@' + at_hash if at_hash else ''}/history"
        entries = self._pages(path, "logEntries", at_a_time=min(limit, at_a_time, 250))
        return map(commit_of, islice(entries, limit))

    def holds(self, reference: str, commit: str) -> bool:
        """True where that commit is in the history of the branch or tag. A commit near the head is found at once.

        The history has to be walked, because Nessie also answers `NAME@HASH` for a commit that is not in NAME's
        history. The walk ends at commits older than the wanted one. Raises: NessieUnreachable.
        """
        if any(each.hash == commit for each in self.history(reference, NEAR)):
            return True
        try:
            wanted = next(self.history(reference, 1, at_hash=commit))
        except (NoSuchReference, InvalidInput, StopIteration):
            return False  # Nessie never had the commit, or no longer has it
        for each in self.history(reference, WHOLE_HISTORY):
            if each.hash == commit:
                return True
            if each.at < wanted.at - CLOCK_STEP:
                return False
        return False

    def _pages(self, path: str, of: str, at_a_time: int = 1000) -> Iterator[dict[str, Any]]:
        """Every entry of a list that Nessie gives page by page; a page is asked for once its entries are wanted."""
        token: str | None = None
        while True:
            params = {"max-records": str(at_a_time)} | ({"page-token": token} if token else {})
            page = self._call("GET", path, params=params)
            yield from page[of]
            token = page.get("token")
            if not page.get("hasMore") or not token:
                return

    def _commit(
        self,
        branch: Reference,
        message: str,
        properties: Mapping[str, str],
        operations: list[dict[str, Any]],
        author: str = OURS,
    ) -> Reference:
        body = {"commitMeta": _commit_meta(message, properties, author), "operations": operations}
        answer = self._call("POST", f"/trees/{branch.name}@{branch.hash}/history/commit", body=body)
        return _reference(answer["targetBranch"])

    def _call(
        self, method: str, path: str, *, params: Mapping[str, str] | None = None, body: Any = None
    ) -> dict[str, Any]:
        try:
            response = self._http.request(method, path, params=params, json=body)
        except httpx.HTTPError as error:
            raise NessieUnreachable(
                f"no answer ({type(error).__name__})", where=f"nessie at {self.url}", next_action="lakeproof ps"
            ) from error
        if response.is_success:
            answer: dict[str, Any] = response.json() if response.content else {}
            return answer
        raise _error_of(response, f"{method} {path}")


def client_of(stack: Stack, timeout_seconds: float = 5.0) -> NessieClient:
    """A client of this stack's Nessie."""
    return NessieClient(stack.url("nessie"), timeout_seconds)


def _error_of(response: httpx.Response, call: str) -> LakeproofError:
    try:
        told = str(response.json().get("message", ""))[:300]
    except ValueError:
        told = response.text[:300]
    where = f"nessie, {call}"
    match response.status_code:
        case 404:
            return NoSuchReference(
                told or "not found", where=where, next_action="lakeproof lake log shows the hashes"
            )
        case 409:
            return NessieConflict(told or "conflict", where=where)
        case 400:
            return InvalidInput(told or "refused", where=where)
        case status if status >= 500 or status == 429:
            return NessieUnreachable(f"answered {status}: {told}", where=where)
        case status:
            return TerminalError(f"answered {status}: {told}", where=where)


def _put(namespace: str, name: str, table: IcebergTable) -> dict[str, Any]:
    content: dict[str, Any] = {
        "type": "ICEBERG_TABLE",
        "metadataLocation": table.metadata_location,
        "snapshotId": table.snapshot_id,
        "schemaId": table.schema_id,
        "specId": table.spec_id,
        "sortOrderId": table.sort_order_id,
    }
    if table.content_id is not None:
        content["id"] = table.content_id
    return {"type": "PUT", "key": {"elements": [namespace, name]}, "content": content}


def _commit_meta(message: str, properties: Mapping[str, str], author: str = OURS) -> dict[str, Any]:
    return {
        "message": message,
        "authors": [author],
        "allProperties": {key: [value] for key, value in properties.items()},
    }


def _reference(entry: Mapping[str, Any]) -> Reference:
    return Reference(entry["type"], entry["name"], entry["hash"])
