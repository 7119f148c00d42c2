"""Nessie: keeps its commits over kill -9, loses no race, is told apart from a stopped one."""

import uuid

import pytest
from tests.engines.conftest import Up

from lakeproof.deadline import Deadline
from lakeproof.errors import NotReady
from lakeproof.lake.nessie import IcebergTable, NessieConflict, client_of
from lakeproof.lake.publish import history
from lakeproof.lake.sources.source import FIRST
from lakeproof.provisioning.nessie import provision
from lakeproof.stack.components import find
from lakeproof.stack.stack import Stack

pytestmark = [pytest.mark.engines, pytest.mark.timeout(300)]


def wait_until_ready(stack: Stack) -> None:
    """`up` may look before the supervisor has seen the end: ask the component itself."""

    def look() -> bool:
        find("nessie").ready(stack, 2.0)
        return True

    Deadline(90.0).wait_for("nessie to answer again", look)


def test_provisioning_again_changes_nothing(up: Up, stack: Stack) -> None:
    up("nessie")
    nessie = client_of(stack)
    before = {(reference.name, reference.hash) for reference in nessie.references() if reference.name == "ingest"}
    nessie.close()
    provision(stack)
    nessie = client_of(stack)
    after = {(reference.name, reference.hash) for reference in nessie.references() if reference.name == "ingest"}
    nessie.close()
    assert before == after


def test_a_commit_survives_kill_9_with_its_properties(up: Up, stack: Stack) -> None:
    client, name = up("nessie"), f"kept-{uuid.uuid4().hex}"
    nessie = client_of(stack)
    branch = nessie.create_reference("BRANCH", name, nessie.reference("main"))
    try:
        table = IcebergTable("s3://lake/nowhere.json", 1, 0, 0, 0)
        made = nessie.commit_tables(branch, FIRST.name, {"kept": table}, "kept", {"checkpoint": "7"})
        client.kill("nessie")
        wait_until_ready(stack)
        found = next(nessie.history(name, 1))
        assert (found.hash, found.properties) == (made.hash, {"checkpoint": "7"})
    finally:
        nessie.close()


def test_the_slower_of_two_writers_gets_a_conflict(up: Up, stack: Stack) -> None:
    up("nessie")
    nessie = client_of(stack)
    try:
        branch = nessie.create_reference("BRANCH", f"two-writers-{uuid.uuid4().hex}", nessie.reference("main"))
        table = IcebergTable("s3://lake/nowhere.json", 1, 0, 0, 0)
        nessie.commit_tables(branch, FIRST.name, {"contended": table}, "first", {})
        with pytest.raises(NessieConflict):
            nessie.commit_tables(branch, FIRST.name, {"contended": table}, "second", {})
    finally:
        nessie.close()


def test_a_hash_that_does_not_exist_is_said_to(up: Up, stack: Stack) -> None:
    up("nessie")
    with pytest.raises(history.NoSuchHash):
        history.find(stack, "f" * 64)


def test_a_stopped_nessie_is_not_ready(up: Up, stack: Stack) -> None:
    client = up("nessie")
    client.kill("nessie", "STOP")
    try:
        with pytest.raises(NotReady):
            find("nessie").ready(stack, 1.0)
    finally:
        client.kill("nessie", "CONT")
    wait_until_ready(stack)
