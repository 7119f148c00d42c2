"""When a failed notification is tried again."""

from lakeproof_shop.services.notification.sender import PAUSE_MAX_SECONDS, Retries


def test_each_pause_is_twice_the_last_one_and_they_end() -> None:
    retries = Retries(attempts=4, pause_seconds=5.0)
    assert [retries.pause_after(attempt) for attempt in range(1, 6)] == [5.0, 10.0, 20.0, None, None]


def test_no_pause_grows_without_bound() -> None:
    assert Retries(attempts=100, pause_seconds=5.0).pause_after(99) == PAUSE_MAX_SECONDS
