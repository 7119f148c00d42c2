"""What a node says of the others, and how many hints wait."""

from pathlib import Path

import httpx
import pytest

from lakeproof.errors import CouldNotLook
from lakeproof.probes import ring
from lakeproof.stack.engines import cassandra
from lakeproof.stack.engines.cassandra_config import NODES
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack

METRICS = "# TYPE cassandra_downendpointcount gauge\ncassandra_downendpointcount {}\n"


@pytest.mark.parametrize(("told", "down"), [("0.0", 0), ("1.0", 1)])
def test_a_node_tells_how_many_others_it_believes_to_be_down(
    told: str, down: int, stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def get(url: str, timeout: float) -> httpx.Response:
        asked.append(url)
        return httpx.Response(200, text=METRICS.format(told))

    monkeypatch.setattr(ring, "get", get)
    assert ring.sees_down(stack, 1.0, "cassandra-node3") == down
    assert asked == [f"{stack.url('cassandra-node3', 'jmx')}/metrics?name[]=cassandra_downendpointcount"]


@pytest.mark.parametrize("answer", [httpx.Response(200, text="something_else 1\n"), httpx.Response(503, text="")])
def test_a_node_that_does_not_tell_is_no_node_that_sees_all_well(
    answer: httpx.Response, stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ring, "get", lambda url, timeout: answer)
    with pytest.raises(CouldNotLook):
        ring.sees_down(stack, 1.0, "cassandra-seed")


def test_hints_are_counted_in_the_folders_of_all_nodes(stack: Stack, tmp_path: Path) -> None:
    assert ring.hints_waiting(stack, 1.0) == 0
    for node, size in (("cassandra-seed", 10), ("cassandra-node3", 0)):
        folder = cassandra.storage_dir(stack, node) / "hints"
        folder.mkdir(parents=True)
        (folder / f"{node}.hints").write_bytes(b"x" * size)
        (folder / f"{node}.crc32").write_bytes(b"x")
    assert ring.hints_waiting(stack, 1.0) == 1
    with pytest.raises(CouldNotLook, match="another machine"):
        ring.hints_of(Stack(Settings(mode="external", state_dir=tmp_path)), "cassandra-seed")


def test_trouble_of_one_node_may_show_in_what_every_other_says_of_it() -> None:
    views = [probe for probe in ring.PROBES if probe.id.endswith("-sees-down")]
    assert [probe.source for probe in views] == list(NODES)
    assert all({probe.source, *probe.about} >= set(NODES) for probe in views)
