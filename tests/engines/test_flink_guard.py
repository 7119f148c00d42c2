"""A real JobManager, and what a browser on this machine would send to it for web pages of other sites."""

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx
import pytest

from lakeproof.deadline import Deadline
from lakeproof.errors import NotReady
from lakeproof.stack.component import Command
from lakeproof.stack.engines.flink import (
    gateway_command,
    gateway_ready,
    jobmanager_command,
    jobmanager_ready,
    prepare_gateway,
    prepare_jobmanager,
)
from lakeproof.stack.stack import Stack

pytestmark = [pytest.mark.engines, pytest.mark.timeout(300)]

type Headers = dict[str, str]

ELSEWHERE = "http://elsewhere.example"
JAR = {"jarfile": ("code.jar", b"code", "application/x-java-archive")}


@contextmanager
def running(stack: Stack, command: Command, ready: Callable[[Stack, float], None]) -> Iterator[None]:
    """One process alone, without the supervisor, which would start all that Flink's jobs need."""

    def look() -> bool | None:
        try:
            ready(stack, 2.0)
        except NotReady:
            return None
        return True

    assert command.cwd is not None
    with (command.cwd / "log").open("wb") as log:
        process = subprocess.Popen(
            command.argv, env={**os.environ, **command.env}, cwd=command.cwd, stdout=log, stderr=log
        )
    try:
        Deadline(60).wait_for(command.argv[-3], look)
        yield
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def flink(stack: Stack) -> Iterator[str]:
    prepare_jobmanager(stack)
    with running(stack, jobmanager_command(stack), jobmanager_ready):
        yield stack.url("flink-jobmanager")


def uploaded(flink: str) -> list[str]:
    return [each["name"] for each in httpx.get(f"{flink}/jars", trust_env=False).json()["files"]]


def upload(flink: str, headers: Headers) -> httpx.Response:
    return httpx.post(f"{flink}/jars/upload", files=JAR, headers=headers, trust_env=False, timeout=20.0)


def fetched(mode: str, site: str) -> Headers:
    """What a browser adds to a GET: `navigate` follows a link, `no-cors` is an <img> or a <script>."""
    return {
        "Sec-Fetch-Site": site,
        "Sec-Fetch-Mode": mode,
        "Sec-Fetch-Dest": "document" if mode == "navigate" else "image",
    }


@pytest.mark.parametrize(
    "origin", [ELSEWHERE, "null", "http://127.0.0.1:1", "http://localhost"], ids=["site", "null", "port", "name"]
)
def test_another_sites_page_cannot_upload_a_jar_and_nothing_of_it_is_kept(
    stack: Stack, flink: str, origin: str
) -> None:
    assert upload(flink, {"Origin": origin}).status_code == 403
    assert uploaded(flink) == []
    assert [each for each in (stack.data_dir("flink-jobmanager") / "upload").rglob("*") if each.is_file()] == []


def test_a_page_whose_name_was_rebound_to_this_machine_can_neither_read_nor_upload(stack: Stack, flink: str) -> None:
    host = f"elsewhere.example:{stack.port('flink-jobmanager')}"
    read = httpx.get(f"{flink}/jobs/overview", headers={"Host": host}, trust_env=False)
    assert (read.status_code, "Host" in read.text) == (421, True)
    assert upload(flink, {"Host": host, "Origin": f"http://{host}"}).status_code == 421
    assert uploaded(flink) == []


def test_another_sites_page_may_not_read_and_is_told_so_before_it_asks(flink: str) -> None:
    asked_first = httpx.options(
        f"{flink}/jobs/overview",
        headers={"Origin": ELSEWHERE, "Access-Control-Request-Method": "PATCH"},
        trust_env=False,
    )
    read = httpx.get(f"{flink}/jobs/overview", headers={"Origin": ELSEWHERE}, trust_env=False)
    assert (asked_first.status_code, read.status_code) == (403, 403)
    assert not [
        name for answer in (asked_first, read) for name in answer.headers if name.startswith("access-control")
    ]


@pytest.mark.parametrize(
    "headers", [fetched("no-cors", "cross-site"), fetched("no-cors", "same-site"), fetched("navigate", "cross-site")]
)
def test_a_get_that_another_sites_page_makes_ends_no_job(flink: str, headers: Headers) -> None:
    refused = httpx.get(f"{flink}/jobs/{'0' * 32}/yarn-cancel", headers=headers, trust_env=False)
    assert refused.status_code == 403


def test_programs_flinks_own_pages_and_links_to_them_are_let_through(flink: str) -> None:
    assert httpx.get(f"{flink}/", headers=fetched("navigate", "cross-site"), trust_env=False).status_code == 200
    name = upload(flink, {}).json()["filename"].rpartition("/")[2]
    assert httpx.delete(f"{flink}/jars/{name}", headers={"Origin": flink}, trust_env=False).status_code == 200
    assert uploaded(flink) == []


def test_another_sites_page_cannot_run_sql(stack: Stack, flink: str) -> None:
    prepare_gateway(stack)
    sessions = f"{stack.url('flink-sql-gateway')}/v1/sessions"
    # As a page may send it without being asked first: by POST, of type text/plain.
    said: Headers = {"Content-Type": "text/plain"}
    with running(stack, gateway_command(stack), gateway_ready):
        refused = httpx.post(sessions, content="{}", headers={"Origin": ELSEWHERE, **said}, trust_env=False)
        taken = httpx.post(sessions, content="{}", headers=said, trust_env=False)
    assert (refused.status_code, taken.status_code) == (403, 200)
