"""The chain that a start-up waited for."""

from lakeproof.processes.timeline import Timeline, slow_chain


def line(name: str, wanted: float, needed: float, prepared: float, ready: float, **more: object) -> Timeline:
    values: dict[str, object] = {"needs": (), "provision_needs": (), "healthy": ready} | more
    return Timeline(name, wanted=wanted, needed=needed, prepared=prepared, ready=ready, **values)  # type: ignore[arg-type]


def test_the_chain_goes_back_through_what_was_waited_for() -> None:
    lines = {
        "kafka": line("kafka", 100, 100, 101, 106),
        "quick": line("quick", 100, 100, 100, 101),
        "connect": line("connect", 100, 106, 106, 110, needs=("kafka", "quick")),
    }
    assert [(step.component, step.what, step.seconds, step.until) for step in slow_chain(lines)] == [
        ("kafka", "prepare", 1, 1),
        ("kafka", "start", 5, 6),
        ("connect", "start", 4, 10),
    ]


def test_waiting_before_provision_leads_to_the_one_that_was_late() -> None:
    lines = {
        "mysql": line("mysql", 0, 0, 0, 9),
        "connect": line("connect", 0, 0, 0, 4, provision_needs=("mysql",), provision_began=9.0, healthy=11.0),
    }
    assert [(step.component, step.what) for step in slow_chain(lines)] == [
        ("mysql", "start"),
        ("connect", "provision"),
    ]


def test_a_component_that_waited_for_nobody_shows_its_own_steps() -> None:
    lines = {
        "mysql": line("mysql", 0, 0, 0, 2),
        "connect": line("connect", 0, 0, 1, 4, provision_needs=("mysql",), provision_began=4.0, healthy=6.0),
    }
    assert [step.what for step in slow_chain(lines)] == ["prepare", "start", "provision"]


def test_one_that_was_restarted_later_shows_the_times_of_its_own_start() -> None:
    lines = {"mysql": line("mysql", 0, 0, 0, 2), "kafka": line("kafka", 3600, 3600, 3601, 3606, needs=("mysql",))}
    assert [(step.component, step.until) for step in slow_chain(lines)] == [("kafka", 1), ("kafka", 6)]


def test_nothing_healthy_gives_no_chain() -> None:
    assert slow_chain({"kafka": Timeline("kafka", (), (), 0.0)}) == []
