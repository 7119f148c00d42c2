"""Progress of a quick command stays silent, that of a slow one does not flood."""

from lakeproof.cli.slowly import Slowly


def test_a_quick_command_says_nothing() -> None:
    said: list[str] = []
    Slowly(said.append)("trino: running")
    assert said == []


def test_a_slow_command_says_what_goes_on_and_then_pauses() -> None:
    said: list[str] = []
    progress = Slowly(said.append, quiet_seconds=0.0)
    for _ in range(100):
        progress("trino: running")
    assert said == ["[  0 s] trino: running"]
