"""Does the server's list still have the file that the connector reads next? Both sides made up."""

import pytest
from tests.doubles.plugins import OURS

from lakeproof.errors import CouldNotLook
from lakeproof.lake.sources.source import OLTP, SOURCES
from lakeproof.probes import binlog_place as probe
from lakeproof.probes.probe import all_probes
from lakeproof.stack.stack import Stack

LISTED = [("binlog.000007", 300), ("binlog.000008", 90)]


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("binlog.000007:4", "there"),
        ("binlog.000008:91", "there"),
        ("binlog.000006:4", "binlog.000006 is gone, the oldest is binlog.000007"),
        (None, None),
    ],
)
def test_the_file_is_looked_for_in_the_servers_own_list(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, place: str | None, said: str | None
) -> None:
    monkeypatch.setattr(probe, "capture_position", lambda stack, timeout, source: place)
    monkeypatch.setattr(probe, "ask", lambda stack, statement, timeout, user: LISTED)
    assert probe.binlog_place(stack, 1.0, OLTP) == said


def test_a_server_that_lists_nothing_is_no_proof_of_a_loss(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "capture_position", lambda stack, timeout, source: "binlog.000007:4")
    monkeypatch.setattr(probe, "ask", lambda stack, statement, timeout, user: [])
    with pytest.raises(CouldNotLook, match="lists no binlog"):
        probe.binlog_place(stack, 1.0, OLTP)


def test_each_source_in_mariadb_has_one() -> None:
    found = {name for name in all_probes(OURS) if name.endswith("-binlog-place")}
    assert found == {f"{source.name}-binlog-place" for source in SOURCES if source.engine == "mysql"}
