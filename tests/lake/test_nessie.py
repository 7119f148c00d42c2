"""How far a branch's history is walked for one commit, and lists that come page by page."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice

import httpx
import pytest

from lakeproof.lake.nessie import CLOCK_STEP, NEAR, NessieClient, NessieConflict, NoSuchReference, Reference
from lakeproof.lake.nessie_commit import Commit, commit_of

AT = datetime(2026, 11, 26, tzinfo=UTC)


class Walked(NessieClient):
    """Main's history has a commit each second: the newest is 9999, the oldest 0. 5500a is one that it has lost."""

    def __init__(self) -> None:
        self.seen = 0

    def history(
        self, reference: str, limit: int, *, at_hash: str | None = None, at_a_time: int = 250
    ) -> Iterator[Commit]:
        if at_hash == "never":
            raise NoSuchReference("not found", where=at_hash)
        newest = int(at_hash[:4]) if at_hash else 9999
        for number in islice(range(newest, -1, -1), limit):
            self.seen += 1
            name = at_hash if at_hash and number == newest else str(number)
            yield Commit(name, None, AT + timedelta(seconds=number), "", {})


@pytest.mark.parametrize(
    ("commit", "held", "walked"),
    [
        ("9998", True, 2),
        ("5500", True, NEAR + 1 + 4500),
        ("5500a", False, NEAR + 1 + 4500 + CLOCK_STEP.total_seconds() + 1),
        ("0", True, NEAR + 1 + 10_000),
        ("never", False, NEAR),
    ],
)
def test_a_commit_is_not_looked_for_among_older_ones(commit: str, held: bool, walked: int) -> None:
    nessie = Walked()
    assert nessie.holds("main", commit) is held
    assert nessie.seen == walked


class Served(NessieClient):
    """Answers from `served` in the place of a server."""

    def __init__(self, served: Callable[[httpx.Request], httpx.Response]) -> None:
        super().__init__("http://nessie.invalid")
        self._http = httpx.Client(base_url=f"{self.url}/api/v2", transport=httpx.MockTransport(served))


def test_no_more_of_a_history_is_asked_for_than_is_wanted() -> None:
    asked: list[tuple[str, str | None]] = []

    def served(request: httpx.Request) -> httpx.Response:
        size, token = request.url.params["max-records"], request.url.params.get("page-token")
        asked.append((size, token))
        first = int(token or 0)
        found = [
            {"commitMeta": {"hash": f"{number:04x}", "commitTime": AT.isoformat(), "message": "", "properties": {}}}
            for number in range(first, first + int(size))
        ]
        return httpx.Response(200, json={"logEntries": found, "hasMore": True, "token": str(first + int(size))})

    nessie = Served(served)
    commits = list(nessie.history("main", 500))
    assert [int(one.hash, 16) for one in commits] == list(range(500))
    assert asked == [("250", None), ("250", "250")]
    asked.clear()
    assert len(list(nessie.history("main", 3, at_hash="ab"))) == 3 and asked == [("3", None)]
    asked.clear()
    next(nessie.history("main", 1_000_000))
    assert len(asked) == 1


def test_all_references_are_read_also_where_nessie_gives_them_page_by_page() -> None:
    def served(request: httpx.Request) -> httpx.Response:
        page = int(request.url.params.get("page-token", 0))
        found = [{"type": "TAG", "name": f"tag-{page}", "hash": "ab"}]
        return httpx.Response(200, json={"references": found, "hasMore": page < 2, "token": str(page + 1)})

    assert [each.name for each in Served(served).references()] == ["tag-0", "tag-1", "tag-2"]


def test_a_reference_that_moved_is_not_deleted() -> None:
    asked: list[str] = []

    def served(request: httpx.Request) -> httpx.Response:
        asked.append(f"{request.method} {request.url.raw_path.decode()}")
        return httpx.Response(409, json={"message": "expected hash"})

    with pytest.raises(NessieConflict, match="expected hash"):
        Served(served).delete(Reference("TAG", "mine", "ab"))
    assert asked == ["DELETE /api/v2/trees/mine@ab?type=TAG"]


@pytest.mark.parametrize(("parents", "merged"), [([], False), (["a"], False), (["a", "b"], True)])
def test_a_merge_is_told_by_its_two_parents(parents: list[str], merged: bool) -> None:
    """Such as Nessie 0.99.0 gives them: the first one is on the branch, the second one was brought in."""
    meta = {"hash": "c", "commitTime": "2026-11-30T19:21:21.061704312Z", "parentCommitHashes": parents}
    found = commit_of({"commitMeta": meta, "parentCommitHash": None})
    assert (found.merged, found.parent) == (merged, parents[0] if parents else None)
