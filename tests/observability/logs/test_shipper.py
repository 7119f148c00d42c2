"""The way of a log into the store: what is read, what comes again, what is refused."""

import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.doubles.clock import Clock
from tests.observability.logs.loki_server import Loki, loki_server

from lakeproof.observability.logs.entry import LEVELS, Entry
from lakeproof.observability.logs.push import BEGINS, ENDS, Batch, LogStore, StoreAway, pushed
from lakeproof.observability.logs.shipper import IN_MEMORY_SECONDS, Shipper
from lakeproof.observability.logs.tailer import ENTRY_BYTES, Tailer, merged
from lakeproof.processes import logfile


class MemoryStore(LogStore):
    """A store that forgets what it was given last when it is killed, and may take a push and not answer."""

    def __init__(self, kind: str = "victorialogs") -> None:
        super().__init__(kind, "http://127.0.0.1:1")
        self.disk: list[tuple[str, Entry]] = []
        self.memory: list[tuple[str, Entry]] = []
        self.life = self.seen_life = 0
        self.away = self.deaf = False
        self.is_open = False

    @property
    def connected(self) -> bool:
        return self.is_open

    def connect(self) -> None:
        if self.away:
            raise StoreAway("does not answer")
        self.seen_life, self.is_open = self.life, True

    def require_same_life(self) -> None:
        if self.away or self.life != self.seen_life:
            self.is_open = False
            raise StoreAway("gave no answer")

    def stored(self, container: str, begins: int, ends: int) -> list[tuple[int, int]]:
        self.require_same_life()
        found = [entry for name, entry in self.disk + self.memory if name == container]
        return merged([(e.begins, e.ends) for e in found if e.ends > begins and e.begins < ends])

    def push(self, batch: Batch) -> int:
        self.require_same_life()
        self.memory += [(name, entry) for name, found in batch.items() for entry in found]
        if self.deaf:
            self.is_open = self.deaf = False
            raise StoreAway("gave no answer")
        return 0

    def lose_the_next_answer(self) -> None:
        self.deaf = True

    def write_to_disk(self) -> None:
        self.disk += self.memory
        self.memory = []

    def be_killed(self) -> None:
        self.life += 1
        self.memory = []

    @property
    def texts(self) -> list[str]:
        return [entry.text for _, entry in self.disk + self.memory]


class LokiStore(LogStore):
    """The real one, of a local server that keeps Loki's rules."""

    def __init__(self, loki: Loki) -> None:
        super().__init__("loki", loki.url)
        self.loki = loki

    def lose_the_next_answer(self) -> None:
        self.loki.deaf = True

    @property
    def texts(self) -> list[str]:
        return self.loki.texts


@pytest.fixture
def log(tmp_path: Path) -> Callable[[str], None]:
    (tmp_path / "log").mkdir()

    def write(text: str) -> None:
        with (tmp_path / "log" / "kafka.log").open("a") as file:
            file.write(text)

    return write


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def make_shipper(tmp_path: Path, clock: Clock) -> Callable[[LogStore], Shipper]:
    def make(store: LogStore) -> Shipper:
        shipper = Shipper(tmp_path / "log", tmp_path / "places.json", store, clock)
        shipper.connect()
        return shipper

    return make


@pytest.fixture(params=["victorialogs", "loki"])
def store(request: pytest.FixtureRequest) -> Iterator[MemoryStore | LokiStore]:
    if request.param == "victorialogs":
        yield MemoryStore()
        return
    with loki_server() as loki:
        made = LokiStore(loki)
        yield made
        made.close()


# Loki knows an entry by its time too, so that each has one of its own.
ONE, TWO, THREE = (
    f"2026-11-26T20:12:49,{ms} INFO {word}" for ms, word in ((258, "one"), (260, "two"), (260, "three"))
)

type Make = Callable[[LogStore], Shipper]
type Write = Callable[[str], None]


def entries_of(path: Path) -> list[Entry]:
    tailer = Tailer("kafka", path, 0)
    found: list[Entry] = []
    while True:
        position = tailer.position
        found += tailer.entries(1.0)
        if tailer.position == position:
            return [*found, *tailer.entries(1.0, ending=True)]


def test_a_shipper_that_was_killed_pushes_only_what_is_missing(
    log: Write, make_shipper: Make, store: MemoryStore | LokiStore
) -> None:
    log(f"{ONE}\n{TWO}\n")
    make_shipper(store).go_round(ending=True)
    log(f"{THREE}\n")
    make_shipper(store).go_round(ending=True)
    assert store.texts == [ONE, TWO, THREE]


def test_a_push_without_an_answer_is_not_pushed_again(
    log: Write, make_shipper: Make, store: MemoryStore | LokiStore
) -> None:
    shipper = make_shipper(store)
    log(f"{ONE}\n{TWO}\n")
    store.lose_the_next_answer()
    with pytest.raises(StoreAway):
        shipper.go_round(ending=True)
    shipper.connect()
    shipper.go_round(ending=True)
    assert store.texts == [ONE, TWO]


def test_what_the_store_held_in_memory_when_it_was_killed_comes_again(
    log: Write, make_shipper: Make, clock: Clock, tmp_path: Path
) -> None:
    store = MemoryStore()
    shipper = make_shipper(store)
    log("one\n")
    shipper.go_round(ending=True)
    store.write_to_disk()
    log("two\n")
    clock.now += IN_MEMORY_SECONDS - 1
    shipper.go_round(ending=True)
    store.be_killed()
    clock.now += IN_MEMORY_SECONDS
    with pytest.raises(StoreAway):  # before anything is believed to be on its disk
        shipper.go_round()
    assert not (tmp_path / "places.json").exists()
    shipper.connect()
    shipper.go_round(ending=True)
    assert store.texts == ["one", "two"]
    clock.now += IN_MEMORY_SECONDS
    shipper.go_round()
    assert json.loads((tmp_path / "places.json").read_text()) == {"kafka": 8}


@pytest.mark.parametrize("content", ["", "{", "[]", '{"kafka": null}', '{"kafka": 0}'])
def test_lost_places_cost_a_comparison_and_double_nothing(
    content: str, log: Write, make_shipper: Make, tmp_path: Path, store: MemoryStore | LokiStore
) -> None:
    log(f"{ONE}\n{TWO}\n")
    make_shipper(store).go_round(ending=True)
    (tmp_path / "places.json").write_text(content)
    make_shipper(store).go_round(ending=True)
    assert store.texts == [ONE, TWO]


def test_a_full_disk_does_not_stop_the_pushing(
    log: Write,
    make_shipper: Make,
    clock: Clock,
    store: MemoryStore | LokiStore,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("lakeproof.observability.logs.shipper.write_file", full)
    shipper = make_shipper(store)
    for text in (ONE, TWO):
        log(f"{text}\n")
        clock.now += IN_MEMORY_SECONDS
        shipper.go_round(ending=True)
    make_shipper(store).go_round(ending=True)
    assert store.texts == [ONE, TWO]


def test_a_line_is_one_entry_even_if_half_of_it_came_late(log: Write, make_shipper: Make) -> None:
    store = MemoryStore()
    shipper = make_shipper(store)
    log("hal")
    shipper.go_round()
    log("f\nnext\n")
    shipper.go_round(ending=True)
    assert store.texts == ["half", "next"]


def test_a_trace_that_is_partly_stored_is_completed_by_its_rest_alone(log: Write, make_shipper: Make) -> None:
    store = MemoryStore()
    log("2026-11-26T20:12:49,258 ERROR x\n\tat a\n")
    make_shipper(store).go_round(ending=True)
    log("\tat b\n2026-11-26T20:12:50,000 INFO y\n")
    make_shipper(store).go_round(ending=True)
    assert [text.split("\n") for text in store.texts] == [
        ["2026-11-26T20:12:49,258 ERROR x", "\tat a"],
        ["\tat b"],
        ["2026-11-26T20:12:50,000 INFO y"],
    ]


def test_a_line_of_a_megabyte_comes_whole_in_pieces_that_a_store_takes(tmp_path: Path) -> None:
    path = tmp_path / "kafka.log"
    long = "".join(random.Random(1).choice("aé漢😀 ") for _ in range(500_000))
    path.write_text(f"before\n{long}\nafter\n")
    entries = entries_of(path)
    assert "".join(entry.text for entry in entries) == f"before{long}after"
    assert max(len(entry.text.encode()) for entry in entries) <= ENTRY_BYTES
    assert entries[0].begins == 0 and entries[-1].ends == path.stat().st_size


def test_bytes_that_are_no_text_come_as_what_can_be_shown(tmp_path: Path) -> None:
    path = tmp_path / "kafka.log"
    path.write_bytes(b"caf\xe9 \x00 \xff\xfe\r\n" + bytes(range(128, 256)) * 4000 + b"\nend\n")
    entries = entries_of(path)
    assert entries[0].text == "caf\ufffd \x00 \ufffd\ufffd"
    assert entries[-1].text == "end"
    assert max(len(entry.text.encode()) for entry in entries) < 256 * 1024
    json.dumps(pushed([("kafka", entry) for entry in entries])).encode()


def test_an_entry_is_labelled_by_its_component_and_a_closed_list_of_levels_alone(tmp_path: Path) -> None:
    path = tmp_path / "kafka.log"
    path.write_text("2026-11-26T20:12:49,258 WARN password=hunter2 level=secret\nlevel=hunter2\n[hunter2]\n")
    body = pushed([("flink-taskmanager-2", entry) for entry in entries_of(path)])
    streams = body["streams"]
    assert isinstance(streams, list)
    for stream in streams:
        assert stream["stream"]["container"] == "flink-taskmanager-2"
        assert stream["stream"]["service"] == "flink-taskmanager"
        assert stream["stream"]["level"] in LEVELS
        assert set(stream["stream"]) == {"container", "service", "level"}
        assert [set(value[2]) for value in stream["values"]] == [{BEGINS, ENDS}] * len(stream["values"])


def test_a_shipper_without_a_place_begins_where_the_kept_log_does_and_doubles_no_end_of_a_line(
    log: Write, make_shipper: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lakeproof.observability.logs.shipper.WINDOW_BYTES", 5000)
    for module in ("shipper", "tailer"):
        monkeypatch.setattr(f"lakeproof.observability.logs.{module}.READ_BYTES", 1000)
    monkeypatch.setattr("lakeproof.observability.logs.shipper.READS_A_ROUND", 1000)
    store = MemoryStore()
    written = 0
    for _ in range(6):
        lines = [f"line {number:05d}" for number in range(written, written + 1000)]
        written += 1000
        log("\n".join(lines) + "\n")
        shipper = make_shipper(store)  # killed each time before it kept a place
        shipper.go_round(ending=True)
        assert shipper.lost_bytes == 0
        logfile.rotate(tmp_path / "log" / "kafka.log", 4096)
    assert logfile.span(tmp_path / "log" / "kafka.log")[0] > 5000
    make_shipper(store).go_round(ending=True)
    assert store.texts == [f"line {number:05d}" for number in range(written)]


def test_what_was_rotated_away_unread_is_counted(tmp_path: Path) -> None:
    path = tmp_path / "kafka.log"
    for _ in range(4):
        with path.open("ab") as file:
            file.write((b"x" * 99 + b"\n") * 500)
        logfile.rotate(path, 4096)
    tailer = Tailer("kafka", path, 0)
    assert list(tailer.entries(1.0)) == []
    assert tailer.lost_bytes == tailer.position == logfile.span(path)[0] > 0
    assert list(tailer.entries(1.0))


def test_bytes_that_are_lost_count_once_however_often_the_shipper_connects_anew(
    log: Write, make_shipper: Make, tmp_path: Path
) -> None:
    path, shipper = tmp_path / "log" / "kafka.log", make_shipper(MemoryStore())
    for _ in range(4):
        log(("x" * 99 + "\n") * 500)
        logfile.rotate(path, 4096)
    for _ in range(3):
        shipper.go_round(ending=True)
        shipper.connect()
    assert shipper.lost_bytes == logfile.span(path)[0] > 0


def test_a_log_that_somebody_emptied_is_neither_doubled_nor_garbled_and_what_is_lost_is_counted(
    log: Write, make_shipper: Make, tmp_path: Path
) -> None:
    path, store = tmp_path / "log" / "kafka.log", MemoryStore()
    lines = [f"line {number:05d}" for number in range(1000)]
    log("\n".join(lines) + "\n")
    assert logfile.rotate(path, 4096)
    shipper = make_shipper(store)
    shipper.go_round(ending=True)
    store.write_to_disk()
    log("in the store's memory alone\n")
    shipper.go_round(ending=True)
    path.write_text("")
    log("after it\n")
    shipper.go_round(ending=True)
    store.be_killed()
    shipper.connect()
    for _ in range(3):
        shipper.go_round(ending=True)
    shipper.connect()  # before a place was confirmed: the same gap is met again
    for _ in range(3):
        shipper.go_round(ending=True)
    assert store.texts == [*lines, "after it"]
    assert shipper.lost_bytes == len("in the store's memory alone\n")


def test_ranges_that_touch_are_one() -> None:
    assert merged([(5, 7), (0, 3), (3, 5), (9, 10), (6, 8)]) == [(0, 8), (9, 10)]
