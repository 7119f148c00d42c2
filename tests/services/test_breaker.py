"""The circuit breaker, by a clock of the test's own."""

from tests.doubles.clock import Clock

from lakeproof_shop.serving.breaker import Breaker


def test_after_a_failure_nobody_asks_for_the_pause_and_then_one_does() -> None:
    clock = Clock()
    breaker = Breaker(1.0, clock=clock)
    assert breaker.lets_ask() and not breaker.is_open
    breaker.failed()
    assert not breaker.lets_ask()
    clock.now += 1.1
    assert [breaker.lets_ask() for _ in range(3)] == [True, False, False]
    breaker.failed()
    clock.now += 0.9
    assert not breaker.lets_ask()


def test_a_success_lets_all_ask_again() -> None:
    clock = Clock()
    breaker = Breaker(1.0, clock=clock)
    breaker.failed()
    clock.now += 1.0
    assert breaker.lets_ask()
    breaker.succeeded()
    assert breaker.lets_ask() and breaker.lets_ask() and not breaker.is_open
