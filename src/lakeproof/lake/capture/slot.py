"""PostgreSQL's replication slot of the connector: is it there, how much WAL does it keep, has it lost its place?

A slot that nobody reads keeps WAL up to `max_slot_wal_keep_size`, then it is lost: what changed since is gone from
the log, and Debezium's task fails. Nothing here mends that (decision 2): rows would be missing in silence.
"""

import logging
import threading
from dataclasses import dataclass

from lakeproof.errors import CouldNotLook, NotReady
from lakeproof.lake.capture.connector import Connector
from lakeproof.lake.capture.heartbeat import Condition
from lakeproof.stack.database_rows import read_rows
from lakeproof.stack.stack import Stack

log = logging.getLogger(__name__)

LOOK_SECONDS = 2.0
ASK_SECONDS = 3.0
MEND = 'docs/capture.md, "A lost slot"'
LOST = "lost"
# The key of a connector's file with the name of the slot that it follows.
NAME = "slot.name"

_SQL = """
SELECT wal_status, active, (pg_current_wal_lsn() - restart_lsn)::bigint FROM pg_replication_slots
WHERE slot_name = $1
"""


@dataclass(frozen=True)
class Slot:
    """What the server tells of a slot. status: reserved, extended, unreserved, lost; kept_bytes: None where lost."""

    name: str
    status: str
    active: bool
    kept_bytes: int | None


def slot_name(connector: Connector) -> str:
    """The slot of a connector, by its file."""
    return connector.config[NAME]


def look(stack: Stack, connector: Connector, seconds: float = ASK_SECONDS) -> Slot | None:
    """The connector's slot now; None where it follows none, or the server has none of that name.

    Raises: CouldNotLook.
    """
    if NAME not in connector.config:
        return None
    name = slot_name(connector)
    rows = read_rows(stack, _SQL, name, seconds=seconds, database=connector.database)
    if not rows:
        return None
    ((status, active, kept),) = rows
    return Slot(name, str(status), bool(active), None if kept is None else int(kept))


def trouble(slot: Slot | None, name: str) -> str:
    """What is wrong with it in a sentence with the next step; empty where nothing is."""
    if slot is None:
        return f"PostgreSQL has no slot {name}: nothing is captured; where it was dropped, see {MEND}"
    if slot.status == LOST:
        return (
            f"slot {name} is lost: it was read too late, and the WAL that it needs is removed; what changed since is "
            f"not captured; see {MEND}"
        )
    return ""


class SlotWatch(threading.Thread):
    """Looks at a connector's slot until `stop` is set. `slot` is the newest look; `condition` tells what is wrong.

    lost: True where the newest look with an answer found the slot lost or not there; None before the first answer.
    """

    def __init__(self, stack: Stack, connector: Connector, stop: threading.Event) -> None:
        super().__init__(name=f"slot-{connector.name}", daemon=True)
        self.condition = Condition("slot", f"replication slot of {connector.name}")
        self.slot: Slot | None = None
        self.lost: bool | None = None
        self._stack, self._connector, self._stop_asked = stack, connector, stop

    def run(self) -> None:
        """The thread's work."""
        while not self._stop_asked.is_set():
            try:
                self.slot = look(self._stack, self._connector)
                reason = trouble(self.slot, slot_name(self._connector))
                self.lost = bool(reason)
            except (CouldNotLook, NotReady) as error:
                reason = error.what
            except Exception as error:  # a thread that died would keep its last answer for good
                reason = f"{type(error).__name__}: {error}"
                if reason != self.condition.reason:
                    log.exception("could not look at the %s", self.condition.what)
            if reason:
                self.condition.failed(reason)
            else:
                self.condition.well()
            self._stop_asked.wait(LOOK_SECONDS)
