"""The mail sink as a process: what it acknowledged survives kill -9 under load, a silent one is seen."""

import smtplib
import socket
import threading
from collections.abc import Iterator
from email.message import EmailMessage

import httpx
import pytest
from tests.engines.conftest import Up
from tests.engines.health import await_health

from lakeproof.deadline import Deadline
from lakeproof.errors import NotReady, TerminalError
from lakeproof.processes.client import SupervisorClient
from lakeproof.stack.components import find
from lakeproof.stack.stack import Stack

pytestmark = [pytest.mark.engines, pytest.mark.timeout(120)]


@pytest.fixture
def client(stack: Stack, up: Up) -> Iterator[SupervisorClient]:
    made = up("mail-sink")
    await_health(made, "mail-sink", "healthy")
    sink(stack, "DELETE", "/messages")
    yield made


def sink(stack: Stack, method: str, path: str, **params: str | int) -> dict[str, object]:
    answer = httpx.request(method, f"{stack.url('mail-sink')}{path}", params=params, timeout=5, trust_env=False)
    answer.raise_for_status()
    found: dict[str, object] = answer.json()
    return found


def ids(stack: Stack) -> set[str]:
    found: set[str] = set()
    after: int | None = 0
    while after is not None:
        page = sink(stack, "GET", "/messages", after=after, limit=1000)
        messages, after = page["messages"], page["next"]  # type: ignore[assignment]
        assert isinstance(messages, list)
        found |= {one["message_id"] for one in messages}
    return found


def mail(message_id: str) -> EmailMessage:
    one = EmailMessage()
    one["From"], one["To"], one["Subject"], one["Message-ID"] = "shop@x.org", "a@x.org", "Hello", message_id
    one.set_content("Text")
    return one


def send(stack: Stack, message_id: str) -> None:
    host, port = stack.host_port("mail-sink", "smtp")
    with smtplib.SMTP(host, port, timeout=5) as smtp:
        smtp.send_message(mail(message_id))


def send_until_it_dies(stack: Stack, sender: int, acknowledged: list[str]) -> None:
    """One after the other over one connection; what was said 250 to is noted."""
    host, port = stack.host_port("mail-sink", "smtp")
    try:
        with smtplib.SMTP(host, port, timeout=5) as smtp:
            for number in range(100_000):
                message_id = f"<{sender}-{number}@test>"
                smtp.send_message(mail(message_id))
                acknowledged.append(message_id)
    except (smtplib.SMTPException, OSError):
        return


def test_what_it_acknowledged_survives_kill_9_and_a_repeat_is_recognised(
    stack: Stack, client: SupervisorClient
) -> None:
    acknowledged: list[str] = []
    restarts = client.row("mail-sink").restarts
    senders = [threading.Thread(target=send_until_it_dies, args=(stack, number, acknowledged)) for number in range(4)]
    for sender in senders:
        sender.start()
    Deadline(30).wait_for("a hundred mails", lambda: True if len(acknowledged) > 100 else None, every=0.01)
    client.kill("mail-sink")
    for sender in senders:
        sender.join(10)
    await_health(client, "mail-sink", "healthy", restarts=restarts)
    there = ids(stack)
    assert set(acknowledged) <= there
    assert len(there) <= len(acknowledged) + len(senders)
    send(stack, acknowledged[0])
    assert sink(stack, "GET", "/messages/count") == {"messages": len(there), "repeats": 1}


def test_a_stopped_sink_is_unhealthy_and_back_after_it_goes_on(stack: Stack, client: SupervisorClient) -> None:
    client.kill("mail-sink", "STOP")
    try:
        with pytest.raises(NotReady, match="no answer"):
            find("mail-sink").ready(stack, 1.0)
        await_health(client, "mail-sink", "unhealthy")
    finally:
        client.kill("mail-sink", "CONT")
    await_health(client, "mail-sink", "healthy")
    send(stack, "<after@test>")
    assert ids(stack) == {"<after@test>"}


@pytest.mark.parametrize("kind", ["smtp", "http"])
def test_a_taken_port_is_named(stack: Stack, client: SupervisorClient, kind: str) -> None:
    host, port = stack.host_port("mail-sink", kind)
    client.stop("mail-sink")
    with socket.create_server((host, port)), pytest.raises(TerminalError, match=f"port {port} is taken by"):
        client.start("mail-sink")
    client.start("mail-sink")
    await_health(client, "mail-sink", "healthy")


def test_a_second_start_changes_nothing_and_a_stop_keeps_the_messages(
    stack: Stack, client: SupervisorClient, up: Up
) -> None:
    pid = client.row("mail-sink").pid
    up("mail-sink")
    assert client.row("mail-sink").pid == pid
    send(stack, "<kept@test>")
    client.stop("mail-sink")
    client.start("mail-sink")
    assert ids(stack) == {"<kept@test>"}


def test_it_listens_on_loopback_only(stack: Stack, client: SupervisorClient) -> None:
    import psutil

    pid = client.row("mail-sink").pid
    listening = {at.laddr.ip for at in psutil.Process(pid).net_connections() if at.status == "LISTEN"}
    assert listening == {stack.settings.host}
