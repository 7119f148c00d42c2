"""The shipper and `logs --query` with a store of kind loki: a local server that keeps Loki's documented rules."""

import base64
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.observability.logs.loki_server import Loki, loki_server
from tests.observability.logs.test_query import RUNBOOK, queries_of_the_runbook

from lakeproof.deadline import Deadline
from lakeproof.errors import CouldNotLook, InvalidInput, NotReady
from lakeproof.observability.logs.push import BEGINS, ENDS, LogStore, StoreAway
from lakeproof.observability.logs.query import parse
from lakeproof.observability.logs.search import follow_store, in_files, in_store
from lakeproof.observability.logs.shipper import Shipper
from lakeproof.stack.engines import victorialogs
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack

NOW = datetime.now(UTC)


def line(seconds_ago: float, text: str) -> str:
    return f"{(NOW - timedelta(seconds=seconds_ago)).isoformat(timespec='milliseconds')[:-6]}Z {text}\n"


@pytest.fixture
def loki() -> Iterator[Loki]:
    with loki_server() as made:
        yield made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "state" / "log"
    made.mkdir(parents=True)
    (made / "kafka.log").write_text(line(60, "INFO started") + line(30, "ERROR broker lost"))
    return made


@pytest.fixture
def stack(loki: Loki, tmp_path: Path) -> Stack:
    return stack_of(tmp_path, loki.url)


def stack_of(tmp_path: Path, url: str, server: str = "loki", **settings: object) -> Stack:
    endpoints = {"victorialogs": {"http": url.removeprefix("http://"), "server": server}}
    given = {"mode": "external", "state_dir": tmp_path / "state", "endpoints": endpoints} | settings
    return Stack(Settings.model_validate(given))


def shipper_of(folder: Path, loki: Loki, password: str = "") -> Shipper:
    made = Shipper(folder, folder / "places.json", LogStore("loki", loki.url, password))
    made.connect()
    return made


def ship(folder: Path, loki: Loki) -> None:
    shipper = shipper_of(folder, loki)
    shipper.go_round(ending=True)
    shipper.store.close()


def test_an_entry_comes_with_three_labels_and_its_place_beside_them(folder: Path, loki: Loki) -> None:
    shipper = shipper_of(folder, loki, "word")
    assert shipper.go_round(ending=True) == 2
    shipper.store.close()
    assert loki.answered == [("/ready", 200), ("/loki/api/v1/push", 204), ("/ready", 200)]
    assert loki.logins == {"Basic " + base64.b64encode(b"lakeproof:word").decode()}
    assert {stream: [set(beside) for _, _, beside in found] for stream, found in loki.entries.items()} == {
        (("container", "kafka"), ("level", "error"), ("service", "kafka")): [{BEGINS, ENDS}],
        (("container", "kafka"), ("level", "info"), ("service", "kafka")): [{BEGINS, ENDS}],
    }


def test_what_loki_holds_for_too_old_is_counted_and_the_rest_of_the_push_is_stored(folder: Path, loki: Loki) -> None:
    ship(folder, loki)
    log = folder / "kafka.log"
    old = [line(9000 - number, f"INFO late {number}") for number in range(3)]
    log.write_text(log.read_text() + "".join(old) + line(9000, "ERROR late") + line(1, "INFO new"))
    shipper = shipper_of(folder, loki)
    shipper.go_round(ending=True)
    assert (shipper.refused_entries, shipper.pushed_entries) == (4, 1)
    assert [text.split("Z ")[1] for text in loki.texts] == ["INFO started", "ERROR broker lost", "INFO new"]
    asked = len(loki.answered)
    shipper.go_round(ending=True)  # what it refused for good is not pushed again
    assert ("/loki/api/v1/push", 400) not in loki.answered[asked:]
    shipper.store.close()


def test_a_loki_that_takes_no_more_now_makes_the_files_wait(folder: Path, loki: Loki) -> None:
    loki.limited = True
    shipper = shipper_of(folder, loki)
    with pytest.raises(StoreAway, match="answered 429: ingestion rate limit exceeded"):
        shipper.go_round(ending=True)
    assert shipper.unshipped_bytes == (folder / "kafka.log").stat().st_size and shipper.pushed_entries == 0
    loki.limited = False
    shipper.connect()
    assert shipper.go_round(ending=True) == 2
    assert (len(loki.texts), shipper.unshipped_bytes, shipper.refused_entries) == (2, 0, 0)
    shipper.store.close()


def test_nothing_is_pushed_before_loki_is_ready(folder: Path, loki: Loki) -> None:
    loki.ready = False
    with pytest.raises(StoreAway, match="answered 503: Ingester not ready"):
        shipper_of(folder, loki)


def test_equal_lines_of_one_millisecond_are_two_entries_to_loki_too_and_stay_two(folder: Path, loki: Loki) -> None:
    (folder / "kafka.log").write_text(2 * line(5, "INFO twice") + line(5, "INFO once"))
    ship(folder, loki)
    (folder / "places.json").unlink()
    ship(folder, loki)
    assert [text.split("Z ")[1] for text in loki.texts] == ["INFO twice", "INFO twice", "INFO once"]
    assert loki.answered.count(("/loki/api/v1/push", 204)) == 2


def test_the_service_ships_to_loki_until_it_is_told_to_end(folder: Path, loki: Loki) -> None:
    words = ("-m", "lakeproof.observability.logs.app", f"--logs={folder}", f"--places={folder / 'places.json'}")
    service = subprocess.Popen([sys.executable, *words, f"--url={loki.url}", "--store=loki"], env=dict(os.environ))
    try:
        Deadline(60.0).wait_for("both lines", lambda: len(loki.texts) == 2 or None)
    finally:
        service.terminate()
        assert service.wait(30.0) == 0


QUERIES = [
    '{container="kafka"} error',
    '{container=~"flink-.*"} error two',
    '{container=~"kafka|flink-.*"} error !two !broker',
    '{} |= "broker lost"',
    "{}",
    '{container="kafka", container!~"x.*"} started',
    '{container!="kafka"}',
    '{service="connect"} |~ "took \\d+ ms"',
    '{service="connect"} !~ "took [0-9]+"',
    '{level="error", service="connect"} "data(exception"',
    '{level=~"error|critical"}',
    'container="flink-jobmanager"',
]


@pytest.fixture
def shipped(folder: Path, loki: Loki) -> Path:
    (folder / "flink-jobmanager.log").write_text(
        line(50, "WARN error in job one") + line(40, "WARN error in job two")
    )
    (folder / "connect-2.log").write_text(
        line(35, "ERROR task failed (Worker)").rstrip("\n") + "\norg.x.Data(Exception: bad\n\tat org.x.Y(Z.java:1)\n"
        "\tat last\n" + line(20, "INFO took 12 ms (Worker)") + line(20, "INFO and the next one (Worker)")
    )
    ship(folder, loki)
    return folder


@pytest.mark.parametrize("query", QUERIES)
def test_a_query_finds_in_loki_what_it_finds_in_the_files(query: str, shipped: Path, stack: Stack) -> None:
    found = in_store(stack, parse(query), 100, None)
    assert found == in_files(shipped, parse(query), 100, None)
    assert found


def test_loki_takes_every_log_query_of_the_runbook(loki: Loki, stack: Stack) -> None:
    texts = [*queries_of_the_runbook(), *(query for query, _, _ in RUNBOOK)]
    for text in texts:
        assert in_store(stack, parse(text), 10, None) == []
    assert loki.answered == [("/loki/api/v1/query_range", 200)] * len(texts)


def test_loki_gives_the_newest_entries_of_the_time_that_was_asked_for(shipped: Path, stack: Stack) -> None:
    query = parse("{}")
    assert in_store(stack, query, 3, None) == in_files(shipped, query, 3, None)
    found = in_store(stack, query, 100, 45.0 + (datetime.now(UTC) - NOW).total_seconds())
    assert len(found) == 5 and found[0].line.endswith("job two")
    assert in_store(stack, query, 100, 0.0) == []


def test_without_a_time_loki_is_asked_for_all_that_it_gives_at_once(folder: Path, loki: Loki, tmp_path: Path) -> None:
    (folder / "kafka.log").write_text(line(29 * 86_400.0, "INFO old"))
    ship(folder, loki)
    assert len(in_store(stack_of(tmp_path, loki.url), parse("{}"), 10, None)) == 1


@pytest.mark.parametrize(
    ("limit", "since", "said"),
    [(5001, None, "max entries limit per query exceeded"), (10, 31 * 86_400.0, "time range exceeds the limit")],
)
def test_what_loki_refuses_is_told_in_its_words(limit: int, since: float | None, said: str, stack: Stack) -> None:
    with pytest.raises(CouldNotLook, match=f"(?s)loki: answered 400: .*{said}"):
        in_store(stack, parse("{}"), limit, since)


def test_another_server_than_loki_is_not_taken_for_it(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Loki, "query_range", lambda *_: (200, '{"status": "success", "data": []}'))
    with pytest.raises(CouldNotLook, match="something else than Loki"):
        in_store(stack, parse("{}"), 10, None)


def test_a_loki_that_is_away_is_said_and_following_it_is_refused(loki: Loki, stack: Stack, tmp_path: Path) -> None:
    away = stack_of(tmp_path, "http://127.0.0.1:9")
    with pytest.raises(StoreAway, match="loki: no answer"):
        in_store(away, parse("{}"), 10, None)
    with pytest.raises(CouldNotLook, match="websocket"):
        next(follow_store(stack, parse("{}")))
    victorialogs.ready(stack, 5.0)
    loki.ready = False
    with pytest.raises(NotReady, match="answered 503"):
        victorialogs.ready(stack, 5.0)


def test_the_password_goes_to_loki_as_basic_authentication(loki: Loki, tmp_path: Path) -> None:
    in_store(stack_of(tmp_path, loki.url, secrets={"victorialogs": "word"}), parse("{}"), 10, None)
    assert loki.logins == {"Basic " + base64.b64encode(b"lakeproof:word").decode()}


def test_an_unknown_log_store_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"no log store 'splunk'.*Next: victorialogs or loki"):
        in_store(stack_of(tmp_path, "http://127.0.0.1:9", "splunk"), parse("{}"), 10, None)
