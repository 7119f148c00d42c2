"""A ring of one SKU in memory, with what a real one does to its callers: lost batches, answers that never come."""

import asyncio
import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from unittest.mock import ANY
from uuid import UUID

from lakeproof.deadline import Deadline
from lakeproof_shop.services.inventory import statements
from lakeproof_shop.serving.database.cassandra import Row, Statement, WriteUnclear
from lakeproof_shop.serving.database.errors import DatabaseDown

Parts = Sequence[tuple[Statement, Sequence[Any]]]


class OneSku:
    """`plan`: what happens to the next batches, in order: "apply", "lose_answer" (applied, not answered), "drop"
    (neither), "late" (not answered, tried again by its coordinator after the next read), "later" (at `write_late`),
    "down". Then "apply".
    """

    def __init__(self, *plan: str) -> None:
        self.plan = list(plan)
        self.totals: list[int | None] = [None] * 6
        self.lines: dict[UUID, list[Any]] = {}
        self.events: list[int] = []
        self.batches = self.reads = 0
        self.late: list[Parts] = []
        self.later: list[Parts] = []

    def now(self, *totals: int) -> None:
        """Have these totals (version, received, sold, reserved, active, events), as another instance left them."""
        self.totals = list(totals)

    async def read(self, statement: Statement, values: Sequence[Any], deadline: Deadline) -> list[Row]:
        """Lines and totals."""
        await asyncio.sleep(0)
        self.reads += 1
        if statement is statements.LINES:
            return [(id_, *self.lines[id_]) for id_ in values[1] if id_ in self.lines]
        found = [] if self.totals[0] is None else [tuple(self.totals)]
        late, self.late = self.late, []
        for parts in late:
            self._apply(parts)
        return found

    async def decide(self, parts: Parts, deadline: Deadline) -> bool:
        """One conditional batch."""
        await asyncio.sleep(0)
        self.batches += 1
        fate = self.plan.pop(0) if self.plan else "apply"
        if fate == "down":
            raise DatabaseDown("no node of the ring takes a request")
        if fate == "late":
            self.late.append(parts)
        if fate == "later":
            self.later.append(parts)
        if fate == "lose_answer":
            self._apply(parts)
        if fate != "apply":
            raise WriteUnclear("no answer")
        return self._apply(parts)

    def write_late(self) -> None:
        """The coordinators that are still at it try once more."""
        for parts in self.later:
            self._apply(parts)

    def _apply(self, parts: Parts) -> bool:
        for statement, values in parts:
            if statement is statements.SET_TOTALS and values[-1] != self.totals[0]:
                return False
            if statement not in (statements.SET_LINE, statements.END_LINE, statements.DELETE_LINE):
                continue
            if self._state_and_digest(_line_id(statement, values)) != _conditions(statement, values):
                return False
        for statement, values in parts:
            if statement is statements.SET_TOTALS:
                self.totals = list(values[:6])
            elif statement in (statements.SET_LINE, statements.END_LINE):
                self.lines[_line_id(statement, values)] = [as_read(value) for value in values[:6]]
            elif statement is statements.DELETE_LINE:
                del self.lines[values[1]]
            elif statement is statements.ADD_EVENT:
                self.events.append(values[3])
        return True

    def _state_and_digest(self, id_: UUID) -> tuple[Any, Any]:
        state, _, digest, *_ = self.lines.get(id_, [None] * 3)
        return state, digest


def _line_id(statement: Statement, values: Sequence[Any]) -> UUID:
    before_conditions = statement.text.partition(" IF ")[0]
    id_: UUID = values[before_conditions.count("?") - 1]
    return id_


def _conditions(statement: Statement, values: Sequence[Any]) -> tuple[Any, Any]:
    """The state and the digest that the statement's own text asks for; a condition that it lacks is always met."""
    before, _, conditions = statement.text.partition(" IF ")
    asked = dict(zip(re.findall(r"(\w+) = \?", conditions), values[before.count("?") :], strict=True))
    return asked.get("state", ANY), asked.get("digest", ANY)


def as_read(value: object) -> object:
    """The driver gives times without saying that they are UTC."""
    return value.replace(tzinfo=None) if isinstance(value, datetime) else value
