"""The newest published states, read from an answer of Nessie's by the standard library's HTTP client."""

import socket
from collections.abc import Callable

import pytest
from tests.conftest import Answering

from lakeproof.errors import CouldNotLook
from lakeproof.lake.publish.main_now import states_on_main

# As Nessie 0.10x wrote them, without the tables.
OURS = {
    "commitMeta": {
        "hash": "ab12",
        "message": "checkpoint 7",
        "authors": ["lakeproof"],
        "commitTime": "2026-11-30T11:00:00.5Z",
        "allProperties": {
            "database": ["oltp"],
            "checkpoint": ["7"],
            "beat_us": ["1795000000000000"],
            "gtid": ["0-1-9"],
            "snapshot.orders": ["12"],
        },
    },
    "parentCommitHash": "ab11",
}
SOMEBODYS = {
    "commitMeta": {"hash": "ab13", "message": "mine", "commitTime": "2026-11-30T11:00:01Z", "allProperties": {}}
}


type Nessie = Callable[[int, object], str]


@pytest.fixture
def nessie(answering: Answering) -> Nessie:
    """`nessie(status, body)`: the address of one that gives this answer to every question for main's history."""

    def start(status: int, body: object) -> str:
        def answer(_method: str, path: str, _body: bytes) -> tuple[int, object]:
            return (status if path.startswith("/api/v2/trees/main/history?") else 404), body

        return answering(answer)

    return start


def test_it_gives_the_newest_state_that_is_ours(nessie: Nessie) -> None:
    address = nessie(200, {"logEntries": [SOMEBODYS, OURS]})
    states = states_on_main(address)
    assert {name: (state.checkpoint, state.beat_us) for name, state in states.items()} == {
        "oltp": (7, 1795000000000000)
    }


def test_before_the_first_publish_there_is_none(nessie: Nessie) -> None:
    address = nessie(200, {"logEntries": [SOMEBODYS]})
    assert states_on_main(address) == {}


def test_published_states_below_many_commits_of_others_are_not_called_none(nessie: Nessie) -> None:
    address = nessie(200, {"logEntries": [SOMEBODYS] * 20, "hasMore": True, "token": "t"})
    with pytest.raises(CouldNotLook, match="nothing published is among its 20 newest commits"):
        states_on_main(address)


@pytest.mark.parametrize(
    ("status", "body", "told"),
    [
        (503, {"message": "starting"}, "answered 503"),
        (404, {"message": "no such reference"}, "answered 404"),
        (200, b'{"logEntries": [', "no answer (JSONDecodeError)"),
        (200, {"something": "else"}, "no answer (KeyError)"),
    ],
)
def test_an_answer_that_tells_nothing_is_said_and_taken_for_no_age(
    nessie: Nessie, status: int, body: object, told: str
) -> None:
    address = nessie(status, body)
    with pytest.raises(CouldNotLook) as found:
        states_on_main(address)
    assert found.value.what == told


def test_nobody_there() -> None:
    with socket.socket() as taken:  # bound, and nobody listens
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(CouldNotLook, match="ConnectionRefusedError"):
            states_on_main(f"127.0.0.1:{taken.getsockname()[1]}")
