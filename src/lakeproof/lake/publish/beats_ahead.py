"""Heartbeats that were seen ahead of this machine's clock, and are not believed once the clock has caught up."""

from dataclasses import dataclass, field

from lakeproof.lake.publish.commit import covers


@dataclass
class BeatsAhead:
    """The heartbeats ahead of the clock that one wait has seen, or one check in all its waits.

    A beat ahead of the clock was written before the clock was set back. Where the lake stands still, its newest state
    keeps that beat; once the clock has caught up, the beat looks young, and the state is as old as before.

    No tolerance: a beat reaches `main` by a checkpoint, a good part of a second after it was written, so a beat of
    the same machine, or of one whose clock is in step, is never ahead when it is seen. With a tolerance, orders of
    just that time could be called lost.
    """

    _seen: set[int] = field(default_factory=set)

    def holds(self, beat_us: int | None, now_us: int) -> bool:
        """Whether that beat is ahead of the clock now, or was at an earlier look."""
        if beat_us is not None and beat_us > now_us:
            self._seen.add(beat_us)
        return beat_us in self._seen

    def covers(self, beat_us: int | None, instant_us: int, now_us: int) -> bool:
        """As commit.covers, but False for a beat that was ever seen ahead of the clock."""
        return not self.holds(beat_us, now_us) and covers(beat_us, instant_us, now_us)
