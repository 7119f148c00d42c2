"""Cassandra as a component, without running it: its configuration, its health question, what nodetool says."""

import shutil
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from lakeproof.errors import NotReady
from lakeproof.probes.ring import parse_status
from lakeproof.stack import provisioned
from lakeproof.stack.engines import cassandra, cassandra_config, cassandra_roles
from lakeproof.stack.engines.cassandra_config import NODES
from lakeproof.stack.settings import PORT_SHIFT_MAX, Settings
from lakeproof.stack.stack import Stack

type Frames = Callable[[int, bytes], tuple[int, bytes]]
type Serve = Callable[[Frames], Stack]

STARTUP, AUTHENTICATE, QUERY, RESULT, AUTH_RESPONSE, AUTH_SUCCESS, ERROR = 1, 3, 7, 8, 15, 16, 0


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """`serve(answer)` gives a stack whose first node is a socket; `answer(opcode, body)` gives its frames."""
    servers: list[socket.socket] = []

    def start(answer: Frames) -> Stack:
        server = socket.create_server(("127.0.0.1", 0))
        servers.append(server)

        def work() -> None:
            for _ in range(2):  # one for each login
                try:
                    connection, _ = server.accept()
                except OSError:  # the test is over
                    return
                with connection:
                    while head := connection.recv(9, socket.MSG_WAITALL):
                        _, _, _, opcode, size = struct.unpack(">BBhBi", head)
                        body = connection.recv(size, socket.MSG_WAITALL) if size else b""
                        told, answered = answer(opcode, body)
                        connection.sendall(struct.pack(">BBhBi", 0x84, 0, 0, told, len(answered)) + answered)

        threading.Thread(target=work, daemon=True).start()
        address = f"127.0.0.1:{server.getsockname()[1]}"
        stack = Stack(Settings(name="t", state_dir=tmp_path, endpoints={"cassandra-seed": {"tcp": address}}))
        provisioned.remember(stack, "cassandra-seed", "superuser", cassandra_roles.SUPERUSER)
        return stack

    yield start
    for server in servers:
        server.close()


def node_that_says(status: str, refuses: bool = False, heard: list[int] | None = None) -> Frames:
    """`heard`: the opcodes of what it was sent."""

    def answer(opcode: int, body: bytes) -> tuple[int, bytes]:
        if heard is not None:
            heard.append(opcode)
        if opcode == AUTH_RESPONSE:
            if refuses:
                return ERROR, struct.pack(">iH", 0x0100, 2) + b"no"
            return AUTH_SUCCESS, b""
        if opcode == QUERY:
            return RESULT, struct.pack(">iiii", 2, 4, 1, 1) + struct.pack(">i", len(status)) + status.encode()
        return AUTHENTICATE, b"\x00\x01x"

    return answer


def test_a_node_that_sees_itself_normal_is_ready(serve: Serve) -> None:
    heard: list[int] = []
    cassandra.ready(serve(node_that_says("NORMAL,-123", heard=heard)), 2.0, "cassandra-seed")
    assert heard == [STARTUP, AUTH_RESPONSE, QUERY]  # it logged in, and asked


def test_a_node_that_still_joins_is_not_ready(serve: Serve) -> None:
    with pytest.raises(NotReady, match="sees itself as BOOT"):
        cassandra.ready(serve(node_that_says("BOOT,-123")), 2.0, "cassandra-seed")


def test_a_refused_password_is_an_answer(serve: Serve) -> None:
    heard: list[int] = []
    cassandra.ready(serve(node_that_says("", refuses=True, heard=heard)), 2.0, "cassandra-seed")
    assert heard == [STARTUP, AUTH_RESPONSE]  # once: the refusal is not asked for again


def test_before_the_first_provision_a_refused_password_is_not_enough(serve: Serve) -> None:
    stack = serve(node_that_says("", refuses=True))
    provisioned.forget(stack, "cassandra-seed")
    with pytest.raises(NotReady, match="0x0100"):
        cassandra.ready(stack, 2.0, "cassandra-seed")


def test_a_provision_that_was_cut_off_after_the_factorys_role_was_shut_out_can_go_on(serve: Serve) -> None:
    heard: list[int] = []
    normal = node_that_says("NORMAL,-123", heard=heard)

    def answer(opcode: int, body: bytes) -> tuple[int, bytes]:
        if opcode == AUTH_RESPONSE and b"\0cassandra\0cassandra" in body:
            return ERROR, struct.pack(">iH", 0x0100, 2) + b"no"
        return normal(opcode, body)

    stack = serve(answer)
    provisioned.forget(stack, "cassandra-seed")
    cassandra.ready(stack, 2.0, "cassandra-seed")
    assert heard == [STARTUP, STARTUP, AUTH_RESPONSE, QUERY]  # the factory's login was refused, ours was not


def test_a_node_that_only_accepts_is_not_ready_in_time(tmp_path: Path) -> None:
    # As under SIGSTOP: the kernel accepts the connection, nobody answers.
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        stack = Stack(Settings(name="t", state_dir=tmp_path, endpoints={"cassandra-seed": {"tcp": address}}))
        with pytest.raises(NotReady, match="timed out"):
            cassandra.ready(stack, 0.2, "cassandra-seed")


def test_each_node_has_ports_of_its_own_on_loopback(tmp_path: Path) -> None:
    stack = Stack(Settings(name="t", state_dir=tmp_path, port_shift=7))
    written = [yaml.safe_load(cassandra_config.cassandra_yaml(stack, name, 4)) for name in NODES]
    assert {each["listen_address"] for each in written} == {each["rpc_address"] for each in written} == {"127.0.0.1"}
    assert [each["storage_port"] for each in written] == [7007, 7009, 7011]
    assert [each["native_transport_port"] for each in written] == [9049, 9050, 9051]
    assert {each["paxos_variant"] for each in written} == {"v2"}


def test_a_ring_keeps_the_number_of_tokens_that_it_was_made_with(tmp_path: Path) -> None:
    def prepared(stack: Stack, name: str) -> int:
        cassandra.prepare(stack, name)
        tokens: int = yaml.safe_load((stack.etc_dir(name) / "cassandra.yaml").read_text())["num_tokens"]
        return tokens

    def join(stack: Stack, name: str) -> Path:
        kept = cassandra.storage_dir(stack, name) / "data" / "system" / "local-1" / "nb-1-big-Data.db"
        kept.parent.mkdir(parents=True)
        kept.touch()
        return kept

    new = Stack(Settings(name="t", state_dir=tmp_path / "new"))
    assert prepared(new, "cassandra-seed") == cassandra_config.TOKENS
    kept = join(new, "cassandra-seed")
    assert prepared(new, "cassandra-node2") == prepared(new, "cassandra-seed") == cassandra_config.TOKENS
    kept.unlink()  # the first node lost its data, and takes its own place again
    assert prepared(new, "cassandra-seed") == cassandra_config.TOKENS

    join(new, "cassandra-node2")
    shutil.rmtree(new.data_dir("cassandra-seed"))  # all of it, with the note
    assert prepared(new, "cassandra-node2") == prepared(new, "cassandra-seed") == cassandra_config.TOKENS

    earlier = Stack(Settings(name="t", state_dir=tmp_path / "earlier"))
    join(earlier, "cassandra-node2")
    assert prepared(earlier, "cassandra-seed") == prepared(earlier, "cassandra-node3") == 16


def test_only_the_first_nodes_first_start_has_itself_as_its_seed(tmp_path: Path) -> None:
    stack = Stack(Settings(name="t", state_dir=tmp_path))
    own = {name: cassandra_config.storage_address(stack, name) for name in NODES}
    for name in NODES:
        assert (own[name] in cassandra_config.seeds(stack, name, replaces=False)) == (name == "cassandra-seed")
        assert own[name] not in cassandra_config.seeds(stack, name, replaces=True)


def test_no_password_is_in_the_configuration_or_the_arguments(tmp_path: Path) -> None:
    stack = Stack(Settings(name="t", state_dir=tmp_path))
    cassandra.prepare(stack, "cassandra-node2")
    etc = stack.etc_dir("cassandra-node2")
    secret = stack.secret("cassandra-jmx")
    assert (etc / "jmx.password").stat().st_mode & 0o077 == 0
    assert [path.name for path in etc.iterdir() if secret in path.read_text()] == ["jmx.password"]
    assert secret not in str(cassandra_config.jvm_options(stack, "cassandra-node2", tmp_path, replaces=False))


def test_no_role_may_change_what_is_not_its_own() -> None:
    may_write = {
        role.name: [resource for permission, resource in role.grants if permission != "SELECT"]
        for role in cassandra_roles.ROLES
    }
    assert may_write == {
        "inventory_service": ["KEYSPACE inventory"],
        "projector": ["KEYSPACE projections"],
        "support_service": [],
        "reader": [],
    }


STATUS = """\
Datacenter: dc1
===============
Status=Up/Down
|/ State=Normal/Leaving/Joining/Moving
--  Address         Load        Tokens  Owns (effective)  Host ID                               Rack
UN  127.0.0.1:8704  157.37 KiB  16      100.0%            a8f4a0f2-7d0e-4f38-8c3d-3f0b9a4e1b11  rack3
DN  127.0.0.1:8700  ?           16      100.0%            b8f4a0f2-7d0e-4f38-8c3d-3f0b9a4e1b12  rack1

"""


def test_the_ring_is_read_from_what_nodetool_prints() -> None:
    first, second = parse_status(STATUS, {"127.0.0.1:8700": "cassandra-seed"})
    assert (first.name, first.state, first.up, first.load) == ("cassandra-seed", "DN", False, "?")
    assert (second.name, second.state, second.tokens, second.owns_percent) == ("", "UN", 16, 100.0)
    assert second.to_json()["doing"] == "normal"


def member(stack: Stack, name: str) -> None:
    table = cassandra.storage_dir(stack, name) / "data" / "system" / "local-7ad5"
    table.mkdir(parents=True)
    (table / "nb-1-Data.db").touch()


def test_nodes_join_one_after_another_and_members_start_beside_each_other(tmp_path: Path) -> None:
    # A port is taken here: one that the kernel gives no caller (below 32768), and no small stack of the tests uses.
    stack = Stack(Settings(state_dir=tmp_path, port_shift=20_000))
    first, second, third = NODES
    assert [cassandra.awaited(stack, name) for name in NODES] == [(), (first,), (second,)]
    for name in (second, third):
        member(stack, name)
    assert [cassandra.awaited(stack, name) for name in NODES] == [(), (first,), (first,)]
    with socket.create_server(stack.host_port(second, "storage")):
        assert cassandra.awaited(stack, third) == (), "the second node answers: the first may be down"
        assert cassandra.awaited(stack, second) == (first,), "it is not its own peer"


def test_a_ring_that_is_away_prints_nothing_beside_the_commands_own_message(tmp_path: Path) -> None:
    asked = """
import sys
from pathlib import Path
from lakeproof.cli import app, commands
from cassandra.cluster import NoHostAvailable
from lakeproof.stack.engines import cassandra_session
from lakeproof.stack.settings import PORT_SHIFT_MAX, Settings
from lakeproof.stack.stack import Stack
def ask(prog_name: str) -> None:
    stack = Stack(Settings(state_dir=Path(sys.argv[1]), port_shift=int(sys.argv[2])))
    try:
        with cassandra_session.session(stack, "reader", "x", seconds=2.0):
            pass
    except NoHostAvailable:
        print("away")
commands.build = lambda: ask
app.main()
"""
    nobody = str(PORT_SHIFT_MAX)
    done = subprocess.run(
        [sys.executable, "-c", asked, str(tmp_path), nobody], capture_output=True, text=True, timeout=60
    )
    assert (done.stdout, done.stderr) == ("away\n", "")
