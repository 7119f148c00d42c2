"""One writer for each SKU: changes that wait together go into one conditional batch, so a hot SKU is quick.

The writer is correct also beside another instance. Its batch has the condition `IF version = …` for the SKU's totals
and `IF state = … AND digest = …` for each line, so the batch is written whole on exactly the state that it was
decided on, or not at all. The writer does not read before it writes: it remembers the totals of its last batch,
assumes that a new line does not exist yet, and that a line to be ended is the one that this request holds. Where it
assumed wrongly, the batch is refused, and the changes are decided anew on what a SERIAL read says. No change is
refused from memory.

A batch that was not answered may have been written, or may yet be: its coordinator could still be working on it. So
lines and totals are read again at SERIAL, and each line's `op` names the batch that wrote it. Where that is not the
unanswered batch, either the version has not moved, or somebody else moved it. If it has not moved, the same changes
come to the same decisions, and the next batch with them moves it. Either way the first batch can no longer be
written.
"""

import asyncio
import logging
import random
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from uuid import UUID, uuid4

from lakeproof.deadline import Deadline
from lakeproof_shop.services.inventory import statements
from lakeproof_shop.services.inventory.clock import Clock, utc_now
from lakeproof_shop.services.inventory.events import payload
from lakeproof_shop.services.inventory.metrics import InventoryMetrics
from lakeproof_shop.services.inventory.models import Change, Decision, Line, Op, State, Totals, decide
from lakeproof_shop.serving.database.cassandra import Ring, Row, Statement, WriteUnclear
from lakeproof_shop.serving.database.errors import CommitUnclear, DatabaseDown, DatabaseRefused, TooBusy

logger = logging.getLogger(__name__)

BATCH = 64
QUEUE_LIMIT = 1000
ANSWER_SECONDS = 0.3  # how long after a change's deadline its caller still waits for the writer's answer
PAUSE_SECONDS = 0.02
PAUSE_LONGEST_SECONDS = 0.4

ENDED = frozenset({State.SOLD, State.RELEASED, State.EXPIRED})
_NEW = frozenset({Op.HOLD, Op.RECEIVE})


@dataclass
class Waiting:
    """A change whose caller waits for the decision."""

    change: Change
    deadline: Deadline
    done: asyncio.Future[Decision]

    @property
    def given_up(self) -> bool:
        """True where its caller does not wait any more, or its time is over."""
        return self.done.done() or self.deadline.expired


@dataclass
class Round:
    """A batch of changes, tried until each of them has its answer.

    waiting: the changes without an answer, by id.
    totals: the SKU's totals before the batch; None where they must be read.
    lines: the lines as read, by id.
    unanswered: the `op` of each batch that Cassandra did not answer.
    fresh: True once lines and totals were read; until then the totals are remembered and the lines assumed.
    """

    waiting: dict[UUID, Waiting]
    totals: Totals | None
    lines: dict[UUID, Line | None] = field(default_factory=dict)
    unanswered: set[UUID] = field(default_factory=set)
    fresh: bool = False


class SkuWriter:
    """Makes the changes of one SKU, in the order in which they came.

    wrote: called with the events of each batch that is known to be written, as rows (number, id, payload).
    """

    def __init__(
        self,
        sku: str,
        ring: Ring,
        metrics: InventoryMetrics,
        wrote: Callable[[str, Sequence[Row]], None] = lambda sku, events: None,
        clock: Clock = utc_now,
    ) -> None:
        self.sku, self._wrote, self._clock = sku, wrote, clock
        self._ring, self._metrics = ring, metrics
        self._queue: deque[Waiting] = deque()
        self._totals: Totals | None = None
        self._task: asyncio.Task[None] | None = None

    async def submit(self, change: Change, deadline: Deadline) -> Decision:
        """Make a change, and give the decision. Raises: TooBusy, DatabaseDown or DatabaseRefused where the change was
        not made; CommitUnclear where it may have been made.
        """
        if len(self._queue) >= QUEUE_LIMIT:
            raise TooBusy(f"{len(self._queue)} changes of {self.sku} wait already")
        waiting = Waiting(change, deadline, asyncio.get_running_loop().create_future())
        self._queue.append(waiting)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._work(), name=f"writer of {self.sku}")
        try:
            async with asyncio.timeout(deadline.left + ANSWER_SECONDS):
                return await waiting.done
        except TimeoutError as error:
            raise CommitUnclear("no answer in time") from error

    @property
    def idle(self) -> bool:
        """True where nothing waits and nothing is under way."""
        return not self._queue and (self._task is None or self._task.done())

    async def _work(self) -> None:
        while self._queue:
            batch = self._take()
            try:
                await self._settle(batch)
            except Exception as error:  # noqa: BLE001 - the callers must be told, and the next batch goes on
                self._totals = None
                logger.error("a writer failed", extra={"sku": self.sku, "reason": f"{type(error).__name__}: {error}"})
                self._fail(batch, CommitUnclear(f"an error of the service: {type(error).__name__}"))

    def _take(self) -> dict[UUID, Waiting]:
        """The next changes, at most one for each id; a second one of an id waits for the first."""
        taken: dict[UUID, Waiting] = {}
        kept: deque[Waiting] = deque()
        while self._queue and len(taken) < BATCH:
            waiting = self._queue.popleft()
            if waiting.change.id in taken:
                kept.append(waiting)
            elif waiting.deadline.expired:
                self._fail({waiting.change.id: waiting}, DatabaseDown("its turn did not come in time"))
            elif not waiting.done.done():
                taken[waiting.change.id] = waiting
        self._queue.extendleft(reversed(kept))
        return taken

    async def _settle(self, waiting: dict[UUID, Waiting]) -> None:
        """Bring every change of the batch to an answer or to the end of its time."""
        round_ = Round(waiting, self._totals)
        self._totals = None
        pause = PAUSE_SECONDS
        reason = ""
        while round_.waiting:
            self._let_go(round_, reason)
            if not round_.waiting:
                return
            try:
                if round_.totals is None:
                    await self._read(round_)
                lost = not await self._write(round_)
            except WriteUnclear as error:
                reason, lost = str(error), True
            except DatabaseDown as error:
                reason, lost = str(error), True
                round_.totals = None
            except DatabaseRefused as error:
                self._fail(round_.waiting, CommitUnclear(str(error)) if round_.unanswered else error)
                return
            if lost:
                # The pause ends with the batch's earliest deadline: a caller who is answered much later has already
                # been told "unclear" (`submit`).
                first_ends = min((each.deadline.left for each in round_.waiting.values()), default=0.0)
                await asyncio.sleep(min(pause * random.uniform(0.5, 1.0), first_ends + 0.001))
                pause = min(2 * pause, PAUSE_LONGEST_SECONDS)

    def _let_go(self, round_: Round, reason: str) -> None:
        """Fail the changes whose time is over: as unclear after a batch that was not answered, else as not made."""
        late = {id_: each for id_, each in round_.waiting.items() if each.given_up}
        for id_ in late:
            del round_.waiting[id_]
        text = reason or "no time left"
        self._fail(late, CommitUnclear(text) if round_.unanswered else DatabaseDown(text))

    def _fail(self, waiting: dict[UUID, Waiting], error: Exception) -> None:
        for each in waiting.values():
            if not each.done.done():
                each.done.set_exception(error)

    def _answer(self, round_: Round, id_: UUID, decision: Decision) -> None:
        waiting = round_.waiting.pop(id_)
        change = waiting.change
        if decision.refused:
            self._metrics.refusals.labels(decision.refused).inc()
        elif decision.replayed:
            self._metrics.replays.inc()
        else:
            self._metrics.changes.labels(change.op.value).inc()
            if change.op is Op.EXPIRE:
                self._metrics.expired.inc()
        if not waiting.done.done():
            waiting.done.set_result(decision)

    async def _read(self, round_: Round) -> None:
        """Read lines, then totals, at SERIAL. Answer the changes that an unanswered batch did write."""
        deadline = _longest(round_.waiting.values())
        round_.lines = await read_lines(self._ring, self.sku, list(round_.waiting), deadline)
        totals = await self._ring.read(statements.TOTALS, (self.sku,), deadline)
        round_.totals = Totals(*(value or 0 for value in totals[0])) if totals else Totals()
        round_.fresh = True
        for id_, waiting in list(round_.waiting.items()):
            line = round_.lines[id_]
            if line is not None and line.op in round_.unanswered and line.state is _state_after(waiting.change.op):
                self._answer(round_, id_, Decision(line, round_.totals))

    async def _write(self, round_: Round) -> bool:
        """Decide, write and answer the changes. False where another instance was first, so that nothing was written.

        Raises: WriteUnclear, DatabaseDown.
        """
        assert round_.totals is not None
        if not round_.waiting:
            self._totals = round_.totals
            return True
        before, now = round_.totals, self._clock()
        decided: dict[UUID, Decision] = {}
        totals = before
        for id_, waiting in round_.waiting.items():
            line = round_.lines.get(id_) if round_.fresh else _assumed(waiting.change)
            decided[id_] = decision = decide(waiting.change, line, totals, now)
            if not (decision.refused or decision.replayed):
                totals = replace(decision.totals, events=decision.totals.events + 1)
                decided[id_] = replace(decision, totals=totals)
        written = [id_ for id_, decision in decided.items() if not (decision.refused or decision.replayed)]
        if len(written) < len(decided) and not round_.fresh:
            round_.totals = None  # read first: no change is called refused or replayed from memory
            return True
        if written:
            totals = replace(totals, version=before.version + 1)
            if not await self._try(round_, before, totals, {id_: decided[id_] for id_ in written}, now):
                return False
        if written or round_.fresh:
            self._totals = totals
        for id_, decision in decided.items():
            self._answer(round_, id_, decision)
        return True

    async def _try(
        self, round_: Round, before: Totals, totals: Totals, decided: dict[UUID, Decision], now: datetime
    ) -> bool:
        op = uuid4()
        parts: list[tuple[Statement, Sequence[object]]] = [
            (
                statements.SET_TOTALS,
                (
                    totals.version,
                    totals.received,
                    totals.sold,
                    totals.reserved,
                    totals.active,
                    totals.events,
                    self.sku,
                    before.version or None,
                ),
            )
        ]
        for id_, decision in decided.items():
            change = round_.waiting[id_].change
            line = round_.lines.get(id_) if round_.fresh else _assumed(change)
            event = replace(decision.totals, version=totals.version)
            parts += self._rows(change, line, decision.line, event, op, now)
        try:
            applied = await self._ring.decide(parts, _longest(round_.waiting.values()))
        except WriteUnclear:
            self._metrics.writes.labels("unclear").inc()
            round_.unanswered.add(op)
            round_.totals = None
            raise
        self._metrics.writes.labels("applied" if applied else "lost").inc()
        if applied:
            self._wrote(self.sku, [_event(values) for each, values in parts if each is statements.ADD_EVENT])
        else:
            round_.totals = None
        return applied

    def _rows(
        self, change: Change, before: Line | None, after: Line | None, totals: Totals, op: UUID, now: datetime
    ) -> list[tuple[Statement, Sequence[object]]]:
        """The rows that one change writes beside the totals: the line, its due time, the event."""
        as_it_was = (before.state.value, before.digest) if before is not None else (None, None)
        rows: list[tuple[Statement, Sequence[object]]] = []
        if after is None:
            rows.append((statements.DELETE_LINE, (self.sku, change.id, *as_it_was)))
        else:
            columns = (after.state.value, after.quantity, after.digest, after.expires_at, after.created_at, op)
            kind = "receipt" if after.state is State.RECEIVED else "line"
            statement = statements.SET_LINE if after.state is State.HELD else statements.END_LINE
            rows.append((statement, (*columns, self.sku, kind, change.id, *as_it_was)))
            if after.state is State.HELD and after.expires_at is not None:
                rows.append((statements.ADD_DUE, (op, self.sku, milliseconds(after.expires_at), change.id)))
        text = payload(change, after, totals, now)
        rows.append((statements.ADD_EVENT, (text, op, self.sku, totals.events, uuid4())))
        return rows


def _event(values: Sequence[object]) -> Row:
    """The event that ADD_EVENT wrote, in the columns that EVENTS reads."""
    text, _, _, number, event_id = values
    return number, event_id, text


async def read_lines(ring: Ring, sku: str, ids: Sequence[UUID], deadline: Deadline) -> dict[UUID, Line | None]:
    """Lines and receipts of one SKU by id, read at SERIAL; None where there is none. Raises: DatabaseDown."""
    rows = await ring.read(statements.LINES, (sku, list(ids)), deadline)
    return dict.fromkeys(ids) | {row[0]: _line(row) for row in rows}


def milliseconds(at: datetime) -> int:
    """Since 1970, as Cassandra's timestamps count."""
    return round(at.timestamp() * 1000)


def _assumed(change: Change) -> Line | None:
    """The line as it most likely is. Where the guess is wrong, the batch's conditions refuse the batch."""
    if change.op in _NEW:
        return None
    state = State.SOLD if change.op is Op.UNSELL else State.HELD
    return Line(state, change.quantity, change.digest, change.expires_at, change.created_at)


def _state_after(op: Op) -> State | None:
    return {
        Op.HOLD: State.HELD,
        Op.RECEIVE: State.RECEIVED,
        Op.CONFIRM: State.SOLD,
        Op.RELEASE: State.RELEASED,
        Op.UNSELL: State.RELEASED,
        Op.EXPIRE: State.EXPIRED,
        Op.UNDO: None,
    }[op]


def _line(row: Row) -> Line | None:
    _, state, quantity, digest, expires_at, created_at, op = row
    if state is None:
        return None
    return Line(State(state), quantity, digest, _utc(expires_at), _utc(created_at) or datetime.now(UTC), op)


def _utc(at: datetime | None) -> datetime | None:
    """The driver gives UTC times without a time zone."""
    return at.replace(tzinfo=UTC) if at is not None else None


def _longest(waiting: Iterable[Waiting]) -> Deadline:
    """The deadline that ends last, so that no change's time is cut short by another change of its batch."""
    return max((each.deadline for each in waiting), key=lambda deadline: deadline.left)
