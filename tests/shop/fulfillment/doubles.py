"""A database of one row and an object store in memory, for the worker: each call may be the one that kills it."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from lakeproof_shop.services.fulfillment.label import Label, make_label
from lakeproof_shop.services.fulfillment.label_store import LabelLook
from lakeproof_shop.services.fulfillment.leases import Lease
from lakeproof_shop.services.fulfillment.models import State

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
ADDRESS = {"name": "A. Buyer", "street": "1 Lake Road", "city": "Hanoi", "postal_code": "100000", "country": "VN"}
ITEMS = [{"sku": "sku-1", "quantity": 2}]
LABEL = make_label(7, 17, ADDRESS, ITEMS)


class Killed(BaseException):
    """Like SIGKILL: nobody catches it."""


@dataclass
class Fate:
    """Kills at call number `at`, before or after its effect; counts the calls."""

    at: int | None = None
    after: bool = False
    calls: int = 0

    def strikes(self, *, after: bool) -> bool:
        if not after:
            self.calls += 1
        return self.calls == self.at and after is self.after


class FakeLeases:
    """One row. `leased` says that a worker holds it."""

    def __init__(self, fate: Fate, state: State = State.REQUESTED, hold_until: datetime | None = None) -> None:
        self.fate, self.now, self.leased, self.due_at = fate, NOW, False, NOW
        self.row = Lease(7, 1, state, LABEL, hold_until, 0, 1, True, NOW, "t-7")
        self.events: list[State] = []

    async def take(self, limit: int) -> list[Lease]:
        if self.leased or not self.row.has_work or self.due_at > self.now:
            return []
        self.leased = True
        self.row = replace(self.row, now=self.now)
        return [self.row]

    async def advance(self, lease: Lease, state: State) -> Lease | None:
        if self.fate.strikes(after=False):
            raise Killed
        held = self.row.hold_until is not None and self.row.hold_until > self.now
        if not self._is(lease) or (state is State.LABEL_READY and held):
            return None
        self.row = replace(lease, state=state, version=lease.version + 1, has_work=state is not State.SHIPPED)
        self.events.append(state)
        self.leased = state is not State.SHIPPED
        if self.fate.strikes(after=True):
            raise Killed
        return self.row

    async def hold_as_found(self, lease: Lease, until: datetime) -> bool:
        self.row, self.due_at, self.leased = replace(self.row, hold_until=until), until, False
        return True

    async def release(self, lease: Lease, due_at: datetime | None = None, problem: str | None = None) -> bool:
        self.leased = False
        if self._is(lease):
            self.due_at = due_at or self.due_at
        return True

    async def look_again(self, ids: Sequence[int]) -> None:
        if self.row.state in (State.SHIPPED, State.CANCELLED):
            self.row = replace(self.row, has_work=True)

    async def cleared(self, lease: Lease) -> bool:
        if self._is(lease):
            self.row, self.leased = replace(self.row, has_work=False), False
        return not self.row.has_work

    def changed_by_caller(self, **values: object) -> None:
        self.row = replace(self.row, version=self.row.version + 1, has_work=True, **values)  # type: ignore[arg-type]
        self.due_at = self.now

    def _is(self, lease: Lease) -> bool:
        return lease.version == self.row.version


@dataclass
class Stored:
    body: bytes
    hold_until: datetime | None = None
    hold_version: int | None = 0


@dataclass
class FakeLabels:
    """Objects by key."""

    fate: Fate
    objects: dict[str, Stored] = field(default_factory=dict)

    async def put_pending(self, label: Label, hold_until: datetime | None, hold_version: int) -> None:
        self._do(lambda: self.objects.update({label.pending_key: Stored(label.body, hold_until, hold_version)}))

    async def put_ready(self, label: Label) -> None:
        self._do(lambda: self.objects.update({label.ready_key: Stored(label.body)}))

    async def look_pending(self, label: Label) -> LabelLook | None:
        found = self.objects.get(label.pending_key)
        if found is None:
            return None
        sha256 = label.sha256 if found.body == label.body else "another"
        return LabelLook(len(found.body), sha256, found.hold_until, found.hold_version)

    async def copy_to_ready(self, label: Label) -> None:
        self._do(lambda: self.objects.update({label.ready_key: self.objects[label.pending_key]}))

    async def is_ready(self, label: Label) -> bool:
        found = self.objects.get(label.ready_key)
        return found is not None and found.body == label.body

    async def delete_pending(self, label: Label) -> None:
        self._do(lambda: self.objects.pop(label.pending_key, None))

    async def delete_ready(self, label: Label) -> None:
        self._do(lambda: self.objects.pop(label.ready_key, None))

    def _do(self, effect: object) -> None:
        if self.fate.strikes(after=False):
            raise Killed
        assert callable(effect)
        effect()
        if self.fate.strikes(after=True):
            raise Killed


def later(minutes: float) -> datetime:
    return NOW + timedelta(minutes=minutes)
