"""Each database is published by itself: what is told of one says nothing of the other."""

from collections.abc import Callable

import pytest

from lakeproof.lake.publish import service as module
from lakeproof.lake.publish.audit import AuditFailed
from lakeproof.lake.publish.publisher import RoundFailed
from lakeproof.lake.publish.service import Service, health_page
from lakeproof.lake.sources.source import OLTP, SOURCES, Source
from lakeproof.stack.stack import Stack


class Publishing:
    """A publisher whose round raises what is set for that database."""

    sees_next = False

    def __init__(self) -> None:
        self.wrong: dict[str, Exception] = {}

    def round(self, source: Source, *, frozen: bool) -> None:
        if source.name in self.wrong:
            raise self.wrong[source.name]

    def newest(self, database: str) -> dict[str, int]:
        return {}

    def close(self) -> None: ...


@pytest.fixture
def publishing() -> Publishing:
    return Publishing()


@pytest.fixture
def captured() -> list[Source]:
    return list(SOURCES)


@pytest.fixture
def service(stack: Stack, monkeypatch: pytest.MonkeyPatch, publishing: Publishing, captured: list[Source]) -> Service:
    monkeypatch.setattr(module, "present", lambda stack: tuple(captured))
    found = Service(stack, publishing)
    monkeypatch.setattr(found, "_is_due", lambda database: True)
    return found


def told(service: Service) -> dict[str, object]:
    return {key: value for key, value in health_page(service.health)[1].items() if key in ("status", "databases")}


def sample(service: Service, name: str, **labels: str) -> float | None:
    return service.metrics.registry.get_sample_value(name, labels)


@pytest.mark.parametrize(
    ("error", "state"), [(RoundFailed("read", OSError("away")), "degraded"), (AuditFailed("differs"), "frozen")]
)
def test_what_is_wrong_with_one_database_is_told_of_that_one(
    service: Service, publishing: Publishing, error: Exception, state: str
) -> None:
    publishing.wrong["shop"] = error
    service.round()
    assert told(service) == {"status": state, "databases": {"oltp": "healthy", "shop": state}}
    assert sample(service, "lakeproof_publish_frozen", database="shop") == float(state == "frozen")
    assert sample(service, "lakeproof_publish_frozen", database="oltp") == 0.0
    stage = "audit" if state == "frozen" else "read"
    assert sample(service, "lakeproof_publish_failures_total", database="shop", stage=stage) == 1.0
    assert sample(service, "lakeproof_publish_failures_total", database="oltp", stage=stage) == 0.0


def test_one_that_failed_stays_degraded_until_it_is_looked_at_again(
    service: Service, publishing: Publishing, monkeypatch: pytest.MonkeyPatch
) -> None:
    publishing.wrong["shop"] = RoundFailed("read", OSError("away"))
    service.round()
    due: Callable[[Source], bool] = OLTP.__eq__
    monkeypatch.setattr(service, "_is_due", due)
    publishing.wrong.clear()
    service.round()
    assert told(service) == {"status": "degraded", "databases": {"oltp": "healthy", "shop": "degraded"}}
    monkeypatch.setattr(service, "_is_due", lambda database: True)
    service.round()
    assert told(service) == {"status": "healthy", "databases": {"oltp": "healthy", "shop": "healthy"}}


def test_one_that_is_not_captured_any_more_is_neither_frozen_nor_late(
    service: Service, publishing: Publishing, captured: list[Source]
) -> None:
    publishing.wrong["shop"] = AuditFailed("differs")
    service.metrics.database_last_at.labels(database="shop").set(1)
    service.round()
    pauses = [sample(service, "lakeproof_publish_database_checkpoint_seconds", database=one.name) for one in SOURCES]
    assert pauses == [5.0, 20.0]
    captured.remove(SOURCES[1])
    service.round()
    assert told(service) == {"status": "healthy", "databases": {"oltp": "healthy"}}
    assert sample(service, "lakeproof_publish_database_timestamp_seconds", database="shop") is None
    assert sample(service, "lakeproof_publish_database_checkpoint_seconds", database="shop") is None
    assert sample(service, "lakeproof_publish_frozen", database="shop") is None
