"""The real ring of three: it answers with one node away, takes a node back, and says when it cannot."""

import shutil
import socket
from pathlib import Path
from typing import Any

import psutil
import pytest
from cassandra import AuthenticationFailed, ConsistencyLevel, Unauthorized
from cassandra.cluster import NoHostAvailable
from cassandra.query import SimpleStatement
from tests.engines.conftest import Up
from tests.engines.health import await_health

from lakeproof.checks.verdict import Outcome, Verdict
from lakeproof.deadline import Deadline
from lakeproof.errors import CouldNotLook, InvalidInput, NotReady, TerminalError
from lakeproof.mitigations import ring as repairs
from lakeproof.mitigations.ring import STREAM_SECONDS, scale
from lakeproof.probes import cql
from lakeproof.probes.ring import RingNode, nodetool, ring, sees_down
from lakeproof.provisioning.cassandra_seed import provision
from lakeproof.stack import provisioned
from lakeproof.stack.engines import cassandra
from lakeproof.stack.engines.cassandra_config import ALL_NODES, FURTHER, NODES, TOKENS
from lakeproof.stack.engines.cassandra_roles import FACTORY_ROLE, SECRETS, SUPERUSER, SUPERUSER_SECRET
from lakeproof.stack.engines.cassandra_session import session
from lakeproof.stack.stack import Stack
from lakeproof.written import write_file
from lakeproof_shop.scenarios.cassandra_node_down import checks

pytestmark = [pytest.mark.engines, pytest.mark.proof, pytest.mark.timeout(400)]


def ask(stack: Stack, statement: str, *, role: str = "inventory_service", password: str = "") -> list[Any]:
    """At QUORUM, as one of the roles."""
    secret = password or stack.secret(f"cassandra-{role.replace('_', '-')}")
    with session(stack, role, secret, seconds=10.0) as connected:
        return list(connected.execute(SimpleStatement(statement, consistency_level=ConsistencyLevel.QUORUM)))


def states(stack: Stack, asked: str) -> dict[str, str]:
    try:
        return {node.name: node.state for node in ring(stack, ask=asked)}
    except CouldNotLook as error:
        return {"": error.message}


def await_states(stack: Stack, asked: str, wanted: dict[str, str], seconds: float = 120.0) -> None:
    """Until that node sees the others so."""

    def look() -> bool | None:
        seen = states(stack, asked)
        return True if all(seen.get(name) == state for name, state in wanted.items()) else None

    Deadline(seconds).wait_for(f"{wanted}", look, every=1.0, seen=lambda: str(states(stack, asked)))


def host_id(nodes: list[RingNode], name: str) -> str:
    return next(node.host_id for node in nodes if node.name == name)


def test_three_nodes_are_a_ring_in_which_each_has_everything(stack: Stack, up: Up) -> None:
    client = up("cassandra-node3")
    for asked in NODES:
        # The others hear of the last one's end of joining by gossip, a second after it.
        await_states(stack, asked, dict.fromkeys(NODES, "UN"), 20)
        nodes = ring(stack, ask=asked)
        assert [(node.name, node.state, node.owns_percent) for node in nodes] == [
            (name, "UN", 100.0) for name in NODES
        ]
        assert [(node.tokens, node.rack) for node in nodes] == [(TOKENS, f"rack{number}") for number in (1, 2, 3)]
    for name in NODES:
        row = client.row(name)
        print(f"{name}: ready in {row.ready_seconds:.1f} s, RSS {row.rss_bytes / 1e6:.0f} MB")


def test_everything_listens_on_loopback(stack: Stack, up: Up) -> None:
    client = up("cassandra-node3")
    for name in NODES:
        process = psutil.Process(client.row(name).pid)
        listening = {one.laddr for one in process.net_connections("tcp") if one.status == psutil.CONN_LISTEN}
        assert {str(address.ip).removeprefix("::ffff:") for address in listening} == {"127.0.0.1"}
        assert {address.port for address in listening} == {
            stack.port(name, kind) for kind in ("tcp", "storage", "rmi", "jmx")
        }


def test_each_role_may_do_its_work_and_no_more(stack: Stack, up: Up) -> None:
    up("cassandra-node3")
    row = "INSERT INTO inventory.requests (id, digest) VALUES (uuid(), 'test')"
    ask(stack, row)
    with pytest.raises(Unauthorized):
        ask(stack, row, role="reader")
    with pytest.raises(Unauthorized):
        ask(stack, "SELECT * FROM inventory.stock", role="projector")
    with pytest.raises(Unauthorized):
        ask(stack, "ALTER TABLE inventory.stock WITH comment = 'mine'")
    with pytest.raises(Unauthorized):
        ask(stack, "SELECT salted_hash FROM system_auth.roles")


def test_nobody_gets_in_with_a_wrong_password_or_the_factorys(stack: Stack, up: Up) -> None:
    up("cassandra-node3")
    for role, password in (("inventory_service", "wrong"), (FACTORY_ROLE, FACTORY_ROLE), (SUPERUSER, "wrong")):
        with pytest.raises(NoHostAvailable) as refused:
            ask(stack, "SELECT key FROM system.local", role=role, password=password)
        assert all(isinstance(error, AuthenticationFailed) for error in refused.value.errors.values())


def test_jmx_asks_for_its_password(stack: Stack, up: Up, tmp_path: Path) -> None:
    # It rules a node: it must not open to whoever is on this machine.
    up("cassandra-node3")
    other = Stack(stack.settings.model_copy(update={"state_dir": tmp_path}))
    for name in NODES:
        write_file(other.etc_dir(name) / "jmx.password", f"{SUPERUSER} wrong\n", mode=0o600)
        with pytest.raises(CouldNotLook, match="nodetool"):
            ring(other, ask=name)
        assert ring(stack, ask=name)


def test_a_replaced_secrets_file_is_said_in_plain_words(stack: Stack, up: Up) -> None:
    up("cassandra-seed")
    other = Stack(stack.settings.model_copy(update={"secrets": {SUPERUSER_SECRET: "another"}}))
    cassandra.ready(other, 5.0, "cassandra-seed")
    with pytest.raises(TerminalError, match=r"secrets\.json is not the one"):
        provision(other)


def test_digests_of_each_node_show_a_row_that_one_lacks_and_its_repair_brings_it(stack: Stack, up: Up) -> None:
    client = up("cassandra-node3")

    def look() -> Verdict:
        return checks.look(stack, "inventory")

    assert look().outcome is Outcome.PASSED, look().summary
    others = ("cassandra-seed", "cassandra-node3")
    for name in others:
        nodetool(stack, name, "disablehandoff")
    client.stop("cassandra-node2", watched=True)
    assert [sees_down(stack, 5.0, name) for name in others] == [1, 1]
    assert look().outcome is Outcome.FAILED
    ask(stack, "INSERT INTO inventory.requests (id, digest) VALUES (uuid(), 'missed')")
    client.start("cassandra-node2")
    await_states(stack, "cassandra-seed", dict.fromkeys(NODES, "UN"))
    await_states(stack, "cassandra-node3", dict.fromkeys(NODES, "UN"))
    missing = look()
    assert (missing.outcome, missing.numbers["hints_waiting"]) == (Outcome.FAILED, 0)
    assert "inventory.requests" in missing.summary
    # A read at QUORUM shows the row all the same, which is why the check does not rest on reads.
    assert ask(stack, "SELECT id FROM inventory.requests", role="reader")
    for name in others:
        nodetool(stack, name, "enablehandoff")
    repairs.RepairNode(component="cassandra-node2").run(stack)
    assert look().outcome is Outcome.PASSED, look().summary


def test_with_one_node_killed_the_ring_answers_and_takes_it_back(stack: Stack, up: Up) -> None:
    client = up("cassandra-node3")
    restarts = client.row("cassandra-node2").restarts
    client.kill("cassandra-node2")
    ask(stack, "INSERT INTO inventory.stock (sku, kind, n, id, op) VALUES ('k', 'line', 0, uuid(), uuid())")
    assert ask(stack, "SELECT sku FROM inventory.stock WHERE sku = 'k' LIMIT 1", role="reader")
    answers: list[object] = []

    def look() -> bool | None:
        answers.append(cql.quorum_answers(stack, 5.0))
        return True if answers[-1] == "answers" else None

    # The first question may go to the dead node, before the others know of it.
    Deadline(20).wait_for("an answer of two of three", look, seen=lambda: str(answers))
    await_health(client, "cassandra-node2", restarts=restarts, seconds=120)
    await_states(stack, "cassandra-seed", dict.fromkeys(NODES, "UN"))


def test_a_stopped_node_is_not_ready_within_the_time_and_the_ring_answers(stack: Stack, up: Up) -> None:
    client = up("cassandra-node3")
    client.kill("cassandra-node3", "STOP")
    try:
        asked = Deadline(60)
        with pytest.raises(NotReady):
            cassandra.ready(stack, 1.0, "cassandra-node3")
        assert asked.elapsed < 5
        Deadline(30).wait_for(
            "it to be seen unhealthy", lambda: True if client.row("cassandra-node3").health == "unhealthy" else None
        )
        assert ask(stack, "SELECT key FROM system.local") is not None
    finally:
        client.kill("cassandra-node3", "CONT")
    await_states(stack, "cassandra-seed", dict.fromkeys(NODES, "UN"))


def test_the_second_start_keeps_everything(stack: Stack, up: Up) -> None:
    client = up("cassandra-node3")
    ask(stack, "INSERT INTO inventory.stock (sku, kind, n, id, op) VALUES ('kept', 'line', 0, uuid(), uuid())")
    before = ring(stack)
    client.down()
    client = up("cassandra-node3")
    for name in NODES:
        print(f"{name}: ready again in {client.row(name).ready_seconds:.1f} s")
    assert {node.host_id for node in ring(stack)} == {node.host_id for node in before}
    assert ask(stack, "SELECT sku FROM inventory.stock WHERE sku = 'kept' LIMIT 1")


def test_a_ring_that_was_down_comes_up_where_a_new_version_has_other_roles(stack: Stack, up: Up) -> None:
    client = up("cassandra-node3")
    with session(stack, SUPERUSER, stack.secret(SUPERUSER_SECRET), seconds=10.0) as connected:
        connected.execute("DROP ROLE reader")
    client.down()
    provisioned.remember(stack, cassandra.SEED, "roles", "another version's")
    up("cassandra-node3")
    refused: list[str] = []

    def look() -> bool | None:
        refused.clear()
        for name, secret in SECRETS.items():
            for node in NODES:
                try:
                    with session(stack, name, stack.secret(secret), seconds=10.0, nodes=(node,)) as connected:
                        connected.execute("SELECT key FROM system.local")
                except NoHostAvailable:
                    refused.append(f"{name} at {node}")
        return None if refused else True

    # The others get what was made without them as hints, some ten seconds after they are up.
    Deadline(90).wait_for("every role to log in at every node", look, every=2.0, seen=lambda: ", ".join(refused))


def test_a_node_with_its_data_is_not_replaced(stack: Stack, up: Up) -> None:
    client = up("cassandra-node3")
    with pytest.raises(InvalidInput, match="still has its data"):
        repairs.ReplaceNode(node="cassandra-node3").run(stack)
    client.start("cassandra-node3")
    await_states(stack, "cassandra-seed", dict.fromkeys(NODES, "UN"))


@pytest.mark.parametrize("name", ["cassandra-node3", "cassandra-seed"])
def test_an_empty_node_takes_the_place_of_a_dead_one(stack: Stack, up: Up, name: str) -> None:
    client = up("cassandra-node3")
    ask(stack, "INSERT INTO inventory.stock (sku, kind, n, id, op) VALUES ('copied', 'line', 0, uuid(), uuid())")
    other = next(each for each in NODES if each != name)
    before = ring(stack, ask=other)
    client.stop(name)
    shutil.rmtree(cassandra.storage_dir(stack, name))
    took = Deadline(300)
    said = repairs.ReplaceNode(node=name).run(stack)
    print(f"{said} after {took.elapsed:.0f} s")
    assert said == f"replaced: {name} is UN"
    await_states(stack, other, dict.fromkeys(NODES, "UN"))
    assert len(ring(stack, ask=other)) == len(before) == 3
    with session(stack, "reader", stack.secret("cassandra-reader"), seconds=10.0, nodes=(name,)) as connected:
        asked = SimpleStatement("SELECT sku FROM inventory.stock WHERE sku = 'copied' LIMIT 1")
        asked.consistency_level = ConsistencyLevel.ONE
        assert list(connected.execute(asked))


STOCK = [f"scaled-{number}" for number in range(200)]


def everything_is_there(stack: Stack) -> None:
    found = {row[0] for row in ask(stack, "SELECT sku FROM inventory.stock WHERE kind = 'line' ALLOW FILTERING")}
    assert found >= set(STOCK)


def take(stack: Stack, number: int) -> bool:
    """A conditional write, as the inventory makes them."""
    expected = number or "null"
    statement = f"UPDATE inventory.stock SET version = {number + 1} WHERE sku = 'scaled-0' IF version = {expected}"
    return bool(ask(stack, statement)[0][0])


def test_a_fourth_node_joins_outlives_a_restart_and_leaves_and_nothing_is_lost(stack: Stack, up: Up) -> None:
    client = up("cassandra-node3")
    for sku in STOCK:
        ask(stack, f"INSERT INTO inventory.stock (sku, kind, n, id, op) VALUES ('{sku}', 'line', 0, uuid(), uuid())")
    took = Deadline(300)
    assert scale(stack, 4) == "cassandra-node4 joined"
    print(f"joined after {took.elapsed:.0f} s")
    await_states(stack, "cassandra-seed", dict.fromkeys(ALL_NODES, "UN"), 20)
    shares = [node.owns_percent for node in ring(stack)]
    assert len(shares) == 4
    assert all(share is not None and 40 < share < 100 for share in shares)
    assert round(sum(share or 0 for share in shares)) == 300
    everything_is_there(stack)
    assert take(stack, 0)
    assert scale(stack, 4) == "cassandra-node4 was a member already"

    client.down()
    client = up("cassandra-node3")
    assert client.row("cassandra-node4").health == "healthy"
    assert take(stack, 1)

    took = Deadline(300)
    assert scale(stack, 3) == "cassandra-node4 left"
    print(f"left after {took.elapsed:.0f} s")
    assert [node.name for node in ring(stack)] == list(NODES)
    assert not cassandra.storage_dir(stack, FURTHER[0]).exists()
    assert FURTHER[0] not in {row.name for row in client.ps()}
    everything_is_there(stack)
    assert take(stack, 2)
    assert scale(stack, 3) == "it has 3 nodes already"


def test_a_fourth_node_that_died_is_taken_out(stack: Stack, up: Up) -> None:
    client = up("cassandra-node3")
    for sku in STOCK:
        ask(stack, f"INSERT INTO inventory.stock (sku, kind, n, id, op) VALUES ('{sku}', 'line', 0, uuid(), uuid())")
    scale(stack, 4)
    client.stop(FURTHER[0])
    await_states(stack, "cassandra-seed", {FURTHER[0]: "DN"})
    everything_is_there(stack)
    assert scale(stack, 3) == "cassandra-node4 left"
    assert [(node.name, node.state) for node in ring(stack)] == [(name, "UN") for name in NODES]
    everything_is_there(stack)


def test_a_fourth_node_that_was_cut_off_while_it_left_does_not_keep_the_others_from_coming_up(
    stack: Stack, up: Up
) -> None:
    client = up("cassandra-node3")
    for sku in STOCK:
        ask(stack, f"INSERT INTO inventory.stock (sku, kind, n, id, op) VALUES ('{sku}', 'line', 0, uuid(), uuid())")
    scale(stack, 4)
    # As `scale(stack, 3)` does, up to where it was killed.
    write_file(cassandra.leaving_mark(stack, FURTHER[0]), "cut off\n")
    nodetool(stack, FURTHER[0], "decommission", seconds=STREAM_SECONDS)
    client.down()
    client = up("cassandra-node3")
    assert FURTHER[0] not in {row.name for row in client.ps()}
    assert cassandra.has_data(stack, FURTHER[0])
    await_states(stack, "cassandra-seed", dict.fromkeys(NODES, "UN"))
    everything_is_there(stack)
    assert scale(stack, 3) == "cassandra-node4 left"
    assert [(node.name, node.state) for node in ring(stack)] == [(name, "UN") for name in NODES]
    assert not cassandra.storage_dir(stack, FURTHER[0]).exists()
    everything_is_there(stack)


@pytest.mark.parametrize("nodes", [2, 5])
def test_a_ring_that_cannot_be_is_refused(stack: Stack, up: Up, nodes: int) -> None:
    up("cassandra-node3")
    with pytest.raises(InvalidInput, match="cannot have"):
        scale(stack, nodes)


def test_a_node_does_not_leave_while_another_is_away(stack: Stack, up: Up) -> None:
    client = up("cassandra-node3")
    client.stop("cassandra-node2")
    await_states(stack, "cassandra-seed", {"cassandra-node2": "DN"})
    try:
        with pytest.raises(InvalidInput, match="cassandra-node2 cannot take over"):
            scale(stack, 3)
    finally:
        client.start("cassandra-node2")
    await_states(stack, "cassandra-seed", dict.fromkeys(NODES, "UN"))


def test_the_table_of_reservations_has_the_ttl_that_diagnosis_reads(stack: Stack, up: Up) -> None:
    up("cassandra-node3")
    assert cql.reservation_ttl(stack, 5.0) == 900


def test_with_no_node_there_is_no_answer_and_no_hang(stack: Stack, up: Up) -> None:
    client = up("cassandra-seed")
    client.down()
    asked = Deadline(60)
    assert cql.quorum_answers(stack, 3.0) == "refused"
    with pytest.raises(CouldNotLook):
        ring(stack)
    assert asked.elapsed < 20
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", stack.port("cassandra-seed", "tcp"))) != 0
