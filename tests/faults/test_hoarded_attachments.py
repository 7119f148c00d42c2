"""Attachments that fill the folder: uploaded once, told, moved by the repair, deleted with the fault."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from lakeproof.errors import TerminalError, TransientError
from lakeproof.stack.stack import Stack
from lakeproof_shop.scenarios.support_timeline import faults, repairs
from lakeproof_shop.scenarios.support_timeline import probes as support
from lakeproof_shop.scenarios.support_timeline.faults import FILES, HoardedAttachments
from lakeproof_shop.services.support.offload import Offloaded

AT_ONCE = HoardedAttachments(megabytes=12, seconds=0)


class Support:
    """The service, its rows, its folder and the archive, in memory."""

    def __init__(self) -> None:
        self.rows_: dict[int, uuid.UUID] = {}
        self.bodies: list[bytes] = []
        self.deleted: list[str] = []
        self.refuses = False

    def rows(self, sql: str, *args: Any) -> list[tuple[Any, ...]]:
        if sql == FILES:
            return [(one, 7, file) for one, file in self.rows_.items()]
        for one in args[0]:
            del self.rows_[one]
        return []

    def answer(self, request: httpx.Request) -> httpx.Response:
        if self.refuses:
            return httpx.Response(507, request=request)
        if request.url.path.endswith("/attachments"):
            self.bodies.append(request.read())
            self.rows_[len(self.bodies)] = uuid.uuid4()
        return httpx.Response(201, json={"id": 7}, request=request)

    def delete(self, file: uuid.UUID) -> None:
        self.deleted.append(str(file))

    def delete_object(self, Bucket: str, Key: str) -> None:
        self.deleted.append(Key)


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Support:
    made = Support()

    @contextmanager
    def database(stack: Stack) -> Iterator[Support]:
        yield made

    real = httpx.Client

    def client(**given: Any) -> httpx.Client:
        return real(base_url=given["base_url"], transport=httpx.MockTransport(made.answer))

    monkeypatch.setattr(faults, "_database", database)
    monkeypatch.setattr(faults.httpx, "Client", client)  # type: ignore[attr-defined]
    monkeypatch.setattr(faults, "FileStore", lambda folder: made)
    monkeypatch.setattr(faults, "s3_client", lambda stack: made)
    return made


def test_files_come_once_and_go_wherever_they_lie(stack: Stack, service: Support) -> None:
    for _ in range(2):
        AT_ONCE.inject(stack)
    assert len(service.bodies) == 3
    assert all(b"%PDF-" in body and len(body) > 5_000_000 for body in service.bodies)
    assert len(set(service.bodies)) == 3
    for _ in range(2):
        AT_ONCE.remove(stack)
    assert service.rows_ == {}
    assert len(service.deleted) == 6


def test_after_the_first_ones_they_come_at_a_pace(
    stack: Stack, service: Support, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, paused = [0.0], []

    class Pausing:
        def __init__(self, seconds: float) -> None:
            pass

        def pause(self, seconds: float) -> None:
            paused.append(seconds)
            now[0] += seconds

    monkeypatch.setattr(faults, "time", SimpleNamespace(monotonic=lambda: now[0]))
    monkeypatch.setattr(faults, "Deadline", Pausing)
    faults.HoardedAttachments(megabytes=10, pace=2.0, seconds=10).inject(stack)
    assert paused == [2.5] * 4
    assert len(service.bodies) == 6


def test_a_service_that_takes_none_is_told(stack: Stack, service: Support) -> None:
    service.refuses = True
    with pytest.raises(TransientError, match="507"):
        AT_ONCE.inject(stack)


@pytest.mark.parametrize(
    ("held", "growth", "told"),
    [
        (1e9, 2.9e9, "fine"),
        (1e9, 7.2e9, "grows by 7.2 GB an hour"),
        (16e9, -9e9, "holds 16.0 GB"),
        (15e9, 0.0, "fine"),
    ],
)
def test_the_folder_is_told_by_what_it_holds_and_how_it_grows(
    held: float, growth: float, told: str, stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = {support.HELD: held, support.GROWTH: growth}
    monkeypatch.setattr(support, "instant", lambda stack, one, timeout: [({}, values[one])])
    assert support.attachment_folder(stack, 1.0) == told
    monkeypatch.setattr(faults, "attachment_folder", lambda *_: told)
    assert AT_ONCE.sign(stack).holds is (told != "fine")


def test_the_repair_tells_what_moved_and_what_stayed(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    done = Offloaded(dry_run=False, age_days=0, candidates=3, moved=3, moved_bytes=15_000_000)

    async def offload(stack: Stack, age_days: float, **_: Any) -> Offloaded:
        return done

    monkeypatch.setattr(repairs, "offload", offload)
    assert "3 attachments (15 MB)" in repairs.OffloadAttachments().run(stack)
    done.moved_by_another = 2
    assert "2 more were moved by another run" in repairs.OffloadAttachments().run(stack)
    assert "--age-days 30" in repairs.OffloadAttachments(age_days=30).typed(stack)
    done.failed.append({"attachment": 9, "case": 7, "why": "the local file is not what was uploaded"})
    with pytest.raises(TerminalError, match="1 of 3 attachments stayed: attachment 9"):
        repairs.OffloadAttachments().run(stack)
