"""Checks of the scenario cassandra-node-down."""

import re
from collections.abc import Sequence

from pydantic import Field

from lakeproof.checks.check import Baseline, Check, CheckContext
from lakeproof.checks.tries import look_until_passed
from lakeproof.checks.verdict import Outcome, Verdict
from lakeproof.errors import CouldNotLook
from lakeproof.probes.ring import KEYSPACE, RingNode, hints_of, nodetool, ring
from lakeproof.stack.engines.cassandra_config import FURTHER, NODES
from lakeproof.stack.stack import Stack

SAME = "Previewed data was in sync"

# `inventory.requests - 34 ranges, 1 sstables, …`: nodetool's line for a table whose nodes differ in some ranges.
DIFFERS = re.compile(r"^\s*\S+ - [1-9]\d* ranges")

PREVIEW_SECONDS = 60.0

COPIES = 3


class ReplicasWhole(Check):
    """Every Cassandra node is up for the others, holds every row, and no hint waits for one.

    Every Cassandra node holds every row: each sees the others up, no hint waits, and their digests are the same.

    A read at any consistency level may be answered by any replica, so reading rows would not show which node lacks
    one. `nodetool repair --full --preview` instead has each node read its own rows of the keyspace and make digests
    of them by ranges of tokens (Merkle trees), and compares these; it copies nothing. The bound: the digests of a
    range differ too where a row is written while the nodes read, so the check looks again until its time is over.
    Traffic must have ended.

    `keyspace`: whose rows are compared. `seconds`: how long the check looks again until it passes. Cassandra replays
    hints about every ten seconds.
    """

    keyspace: str = KEYSPACE
    seconds: float = Field(60.0, gt=0, le=600)

    def baseline(self, context: CheckContext) -> Baseline:
        """The claim holds before the fault."""
        return Baseline(self._await(context))

    def verify(self, context: CheckContext, before: Baseline) -> Verdict:
        """The claim holds after the repair, once the hints are replayed."""
        return self._await(context)

    def _await(self, context: CheckContext) -> Verdict:
        return look_until_passed(context, self.seconds, "replicas", lambda: look(context.stack, self.keyspace))


def look(stack: Stack, keyspace: str) -> Verdict:
    """One look. Digests are compared only where all nodes are up and no hint waits."""
    try:
        members = _members(ring(stack))
        views = {name: ring(stack, ask=name) for name in members}
        hints = {name: hints_of(stack, name) for name in members}
    except CouldNotLook as error:
        # Where another node reports this silent one as down, the claim has failed; else its state is unknown.
        return Verdict(ReplicasWhole.summary, _why_silent(stack), f"a node gives no answer: {error.message}")
    numbers = {
        "nodes_up_in_every_view": float(min(len(up(nodes)) for nodes in views.values())),
        "hints_waiting": float(sum(hints.values())),
    }
    problems = [
        f"{name} sees {_in_words(nodes)}"
        for name, nodes in views.items()
        if set(members) - set(up(nodes)) or any(node.state != "UN" for node in nodes)
    ]
    problems += [f"{count} hint files wait at {name}" for name, count in hints.items() if count]
    if problems:
        return Verdict(ReplicasWhole.summary, Outcome.FAILED, "; ".join(problems), numbers)
    try:
        compared = (nodetool(stack, name, *preview(keyspace), seconds=PREVIEW_SECONDS) for name in asked_by(members))
        differs = "; ".join(filter(None, map(difference, compared)))
    except CouldNotLook as error:
        return Verdict(
            ReplicasWhole.summary, Outcome.UNKNOWN, f"digests could not be compared: {error.message}", numbers
        )
    if differs:
        return Verdict(
            ReplicasWhole.summary, Outcome.FAILED, f"the nodes' rows of {keyspace} differ: {differs}", numbers
        )
    return Verdict(
        ReplicasWhole.summary,
        Outcome.PASSED,
        f"{', '.join(members)} are up in every view, hold the same rows of {keyspace}, and no hint waits",
        numbers,
    )


def _members(nodes: Sequence[RingNode]) -> tuple[str, ...]:
    """The nodes that every ring must have, and each optional one that has joined."""
    return (*NODES, *(name for name in FURTHER if name in {node.name for node in nodes}))


def asked_by(members: Sequence[str]) -> Sequence[str]:
    """The nodes that must run the preview, each for the ranges of which it holds a copy, so that every range is
    compared. With three copies on three nodes, one node holds every range. With four nodes each lacks some ranges,
    but no two nodes lack the same, so two suffice.
    """
    return members[: len(members) - COPIES + 1]


def preview(keyspace: str) -> tuple[str, ...]:
    """The nodetool command: every node reads all its rows, repaired ones too (--full); nothing is copied."""
    return ("repair", "--full", "--preview", keyspace)


def difference(said: str) -> str:
    """nodetool's lines about tables that differ, joined to one; "" where all digests are the same."""
    if SAME in said:
        return ""
    lines = [line.strip() for line in said.splitlines() if DIFFERS.search(line)]
    return "; ".join(lines)[:300] or "nodetool repair --preview does not say that they are the same"


def up(nodes: Sequence[RingNode]) -> list[str]:
    """The names of the nodes that are up and normal."""
    return [node.name for node in nodes if node.state == "UN"]


def _in_words(nodes: Sequence[RingNode]) -> str:
    return ", ".join(f"{node.name or node.address} {node.state}" for node in nodes)


def _why_silent(stack: Stack) -> Outcome:
    """FAILED where the first node that answers sees a node down; UNKNOWN where it sees none, or no node answers."""
    try:
        return Outcome.FAILED if set(NODES) - set(up(ring(stack))) else Outcome.UNKNOWN
    except CouldNotLook:
        return Outcome.UNKNOWN
