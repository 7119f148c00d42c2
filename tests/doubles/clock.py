"""A clock that a test moves."""


class Clock:
    """now: seconds, as the test has put it on."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now
