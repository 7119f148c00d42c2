"""One ITSM of each kind, its server, and the desk's side of it."""

from typing import Any

from tests.incidents import itsm_servers

from lakeproof.incidents.store import Store
from lakeproof.incidents.tickets.keeping import Keeping
from lakeproof.incidents.tickets.ticket import Itsm

KINDS = {
    "jira": (itsm_servers.FakeJira, {"project": "OPS", "account": "an@example.com"}),
    "github": (itsm_servers.FakeGitHub, {"project": "shop/incidents"}),
    "webhook": (itsm_servers.FakeReceiver, {}),
}


class Case:
    """One ITSM, its server, and the desk's side of it."""

    def __init__(self, kind: str, server: Any, itsm: Itsm, store: Store, clock: Any) -> None:
        self.kind, self.server, self.itsm, self.store, self.clock = kind, server, itsm, store, clock
        self.keeping = self.anew()

    def anew(self) -> Keeping:
        """As a desk that was killed starts again."""
        page = "http://127.0.0.1:8000/incidents/"
        return Keeping(self.store, self.itsm, "default", page, clock=self.clock.monotonic)

    def settle(self) -> None:
        """Rounds until nothing is due."""
        for _ in range(10):
            if not self.keeping.make_round():
                return
        raise AssertionError("the tickets do not come to rest")

    def state(self) -> str:
        """The state of its only ticket: open, in_progress or done, as far as that ITSM tells them apart."""
        (ticket,) = self.server.tickets.values()
        if self.kind == "jira":
            category = ticket["fields"]["status"]["statusCategory"]["key"]
            return {"new": "open", "indeterminate": "in_progress", "done": "done"}[category]
        return {"closed": "done"}.get(str(ticket["state"]), str(ticket["state"]))
