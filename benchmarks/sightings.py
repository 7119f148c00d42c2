"""When each new order was first committed in Paimon, first seen published on `main`, and first seen by Trino."""

import json
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from lakeproof.deadline import Deadline
from lakeproof.errors import CouldNotLook, LakeproofError
from lakeproof.lake.nessie import client_of
from lakeproof.lake.publish import history
from lakeproof.lake.publish.commit import PublishedCommit, read_commit
from lakeproof.lake.publish.snapshots import get_object
from lakeproof.lake.query import trino
from lakeproof.lake.sources.source import OLTP
from lakeproof.stack.object_store import s3_client
from lakeproof.stack.stack import Stack

POLL_SECONDS = 0.1
QUERY_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Sighting:
    """When an order was first seen, in UNIX seconds.

    main_at: when the first published commit with the order was merged. paimon_at: when that commit's snapshot of
    `orders` was committed in Paimon. trino_at: the end of the first query that showed the order.
    """

    paimon_at: float
    main_at: float
    trino_at: float


class Watch:
    """Asks Trino, at each newly published snapshot of `orders`, for the ids above the highest one at the start.

    The queries load the machine as a reader does. Where a query takes longer than the next publish, a commit is
    passed over, and its orders count with the following commit: an order never seems fresher than it was.
    sightings: by order id. commits, passed_over: the number of commits that were queried, and not queried.
    problems: why looks failed.
    """

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._s3 = s3_client(stack)
        self._over = threading.Event()
        self._floor = self._newest_id()
        self.sightings: dict[int, Sighting] = {}
        self.commits = self.passed_over = 0
        self.problems: list[str] = []
        self._thread = threading.Thread(target=self._look, name="freshness", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Look no more. Safe to repeat."""
        self._over.set()
        self._thread.join(QUERY_SECONDS + 5)

    def _newest_id(self) -> int:
        answer = trino.run(self._stack, "SELECT COALESCE(MAX(id), 0) FROM orders", Deadline(QUERY_SECONDS))
        return int(answer.rows[0][0])

    def _look(self) -> None:
        last = ""
        nessie = client_of(self._stack)  # one client for all looks: a new one costs 15 ms of a core
        while not self._over.wait(POLL_SECONDS):
            try:
                found = (
                    read_commit(commit, self._stack.settings.lake.readable_seconds)
                    for commit in nessie.history(history.MAIN, 10)
                )
                commits = [commit for commit in found if commit is not None]
                if not commits or commits[0].hash == last:
                    continue
                if last:
                    self.passed_over += between([commit.hash for commit in commits], last)
                last = commits[0].hash
                self._see(commits[0])
            except LakeproofError as error:
                self.problems.append(error.message)
            except Exception as error:  # noqa: BLE001 - the top of a thread: its end would pass for "nothing published"
                self.problems.append(f"{type(error).__name__}: {error}")
        nessie.close()

    def _see(self, commit: PublishedCommit) -> None:
        snapshot = commit.tables_of(OLTP.name)["orders"]
        answer = trino.run(
            self._stack,
            f"SELECT id FROM orders FOR VERSION AS OF BIGINT '{snapshot}' WHERE id > {self._floor}",
            Deadline(QUERY_SECONDS),
        )
        trino_at = time.time()
        sighting = Sighting(committed_at(self._s3, snapshot), commit.at.timestamp(), trino_at)
        self.commits += 1
        for (order_id,) in answer.rows:
            self.sightings.setdefault(int(order_id), sighting)


def between(hashes: Sequence[str], last: str) -> int:
    """How many commits lie between the newest one and `last`; a lower bound where `last` is not among `hashes`."""
    return (hashes.index(last) if last in hashes else len(hashes)) - 1


def committed_at(s3: Any, snapshot: int) -> float:
    """When Paimon committed a snapshot of `orders`, by its snapshot file: UNIX seconds. Raises: CouldNotLook."""
    key = f"wh/{OLTP.name}.db/orders/snapshot/snapshot-{snapshot}"
    try:
        text = get_object(s3, key)
    except (BotoCoreError, ClientError) as error:
        raise CouldNotLook(f"no answer: {type(error).__name__}", where="minio") from error
    if text is None:
        raise CouldNotLook(f"snapshot {snapshot} is not there any more", where="orders")
    return float(json.loads(text)["timeMillis"]) / 1000
