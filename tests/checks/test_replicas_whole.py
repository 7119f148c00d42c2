"""Whether every Cassandra node holds every row, over what nodetool would print."""

from pathlib import Path
from typing import Any

import pytest

from lakeproof.checks import tries
from lakeproof.checks.check import Baseline, CheckContext
from lakeproof.checks.verdict import Outcome, Verdict
from lakeproof.deadline import Deadline
from lakeproof.errors import CouldNotLook
from lakeproof.probes.ring import RingNode
from lakeproof.stack.engines.cassandra_config import ALL_NODES, NODES
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack
from lakeproof_shop.scenarios.cassandra_node_down import checks
from lakeproof_shop.scenarios.cassandra_node_down.checks import difference

NOTHING = Baseline(Verdict("", Outcome.PASSED, ""))
IN_SYNC = "[…] Repair preview completed successfully; Previewed data was in sync\n"
DIFFER = """\
[…] Starting repair command #2, repairing keyspace inventory with repair options (previewKind: ALL, # of ranges: 48)
[…] Preview complete
Total estimated streaming: 2 ranges, 1 sstables, 4.1KiB bytes
inventory.requests - 2 ranges, 1 sstables, 4.1KiB bytes
    /127.0.0.1:22002 -> localhost/127.0.0.1:22000: 2 ranges, 1 sstables, 684B bytes

inventory.stock - 0 ranges, 0 sstables, 0B bytes
"""


def node(name: str, state: str = "UN") -> RingNode:
    return RingNode(name, state, "127.0.0.1:7000", "1 KiB", 16, 100.0, "id", "rack1")


class Ring:
    """`nodes`: three; `down`: one that the others see down. `answers`: it answers all the same. `hints`: by node.
    `said`: by nodetool repair, in turn.
    """

    def __init__(
        self,
        down: str = "",
        hints: dict[str, int] | None = None,
        said: tuple[str, ...] = (IN_SYNC,),
        *,
        answers: bool = False,
        nodes: tuple[str, ...] = NODES,
    ) -> None:
        self.down, self.hints, self.said = down, hints or {}, list(said)
        self.answers, self.nodes = answers, nodes
        self.asked: list[tuple[str, ...]] = []

    def ring(self, stack: Stack, *, ask: str | None = None) -> list[RingNode]:
        if self.down and ask == self.down and not self.answers:
            raise CouldNotLook("Connection refused", where=ask)
        return [node(name, "DN" if name == self.down else "UN") for name in self.nodes]

    def hints_of(self, stack: Stack, name: str) -> int:
        return self.hints.get(name, 0)

    def nodetool(self, stack: Stack, name: str, *arguments: str, seconds: float) -> str:
        self.asked.append(arguments)
        said = self.said.pop(0) if len(self.said) > 1 else self.said[0]
        if not said:
            raise CouldNotLook("Endpoint not alive", where=name)
        return said


def verify(made: Ring, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seconds: float = 0.05) -> Verdict:
    for name in ("ring", "hints_of", "nodetool"):
        monkeypatch.setattr(checks, name, getattr(made, name))
    monkeypatch.setattr(tries, "LOOK_SECONDS", 0.01)
    context = CheckContext(Stack(Settings(state_dir=tmp_path)), Deadline(5))
    return checks.ReplicasWhole(seconds=seconds).verify(context, NOTHING)


def test_three_nodes_with_the_same_digests_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = Ring()
    verdict = verify(made, tmp_path, monkeypatch)
    assert verdict.outcome is Outcome.PASSED
    assert verdict.numbers == {"nodes_up_in_every_view": 3, "hints_waiting": 0}
    assert made.asked == [("repair", "--full", "--preview", "inventory")]


@pytest.mark.parametrize(
    ("made", "outcome", "words"),
    [
        (Ring(down="cassandra-node2"), Outcome.FAILED, "a node gives no answer"),
        # A fourth node that is up takes the place of none.
        (Ring(down="cassandra-node2", nodes=ALL_NODES), Outcome.FAILED, "a node gives no answer"),
        (Ring(down="cassandra-node2", nodes=ALL_NODES, answers=True), Outcome.FAILED, "cassandra-node2 DN"),
        (Ring(hints={"cassandra-seed": 2}), Outcome.FAILED, "2 hint files wait at cassandra-seed"),
        (Ring(said=(DIFFER,)), Outcome.FAILED, "differ: inventory.requests - 2 ranges, 1 sstables, 4.1KiB bytes"),
        (Ring(said=("",)), Outcome.UNKNOWN, "could not be compared: cassandra-seed: Endpoint not alive"),
    ],
)
def test_a_node_away_a_hint_that_waits_and_digests_that_differ_do_not_pass(
    made: Ring, outcome: Outcome, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    verdict = verify(made, tmp_path, monkeypatch)
    assert verdict.outcome is outcome
    assert words in verdict.summary


def test_of_four_nodes_each_has_to_be_up_and_two_compare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of them lacks the copy of some ranges."""
    made = Ring(nodes=ALL_NODES)
    verdict = verify(made, tmp_path, monkeypatch)
    assert verdict.outcome is Outcome.PASSED and "cassandra-node4" in verdict.summary
    assert len(made.asked) == 2
    assert verify(Ring(nodes=ALL_NODES, said=(IN_SYNC, DIFFER)), tmp_path, monkeypatch).outcome is Outcome.FAILED
    away = verify(Ring(down="cassandra-node4", nodes=ALL_NODES, answers=True), tmp_path, monkeypatch)
    assert away.outcome is Outcome.FAILED and "cassandra-node4 DN" in away.summary
    hints = verify(Ring(hints={"cassandra-node4": 1}, nodes=ALL_NODES), tmp_path, monkeypatch)
    assert hints.outcome is Outcome.FAILED


def test_digests_are_not_compared_while_a_hint_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = Ring(hints={"cassandra-node3": 1})
    verify(made, tmp_path, monkeypatch)
    assert made.asked == []


def test_a_row_that_is_written_meanwhile_is_looked_at_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = Ring(said=(DIFFER, IN_SYNC))
    assert verify(made, tmp_path, monkeypatch, seconds=5).outcome is Outcome.PASSED
    assert len(made.asked) == 2


@pytest.mark.parametrize("said", ["", "Repair command #1 finished in 0 seconds", DIFFER])
def test_only_the_words_that_all_is_the_same_count(said: str) -> None:
    assert difference(said)
    assert difference(IN_SYNC) == ""


def test_nobody_who_could_tell_is_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def silent(*_: Any, **__: Any) -> list[RingNode]:
        raise CouldNotLook("nobody answers", where="ring")

    made = Ring()
    monkeypatch.setattr(made, "ring", silent)
    assert verify(made, tmp_path, monkeypatch).outcome is Outcome.UNKNOWN
