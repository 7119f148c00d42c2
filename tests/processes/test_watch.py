"""Since when a component's trouble is an incident."""

import time

from lakeproof.processes.watch import Watch


def test_what_a_command_starts_is_watched_once_it_was_well() -> None:
    watch = Watch(patience_seconds=60)
    watch.begin_command()
    assert watch.in_command and watch.told_since(wanted=True) is None
    watch.be_well()
    since = watch.told_since(wanted=True)
    assert since is not None and abs(since - time.time()) < 5 and not watch.in_command
    watch.be_well()
    assert watch.told_since(wanted=True) == since


def test_what_was_well_and_is_not_back_in_time_is_in_trouble_since_the_command() -> None:
    watch = Watch(patience_seconds=0)
    watch.begin_command()
    assert not watch.in_command and watch.told_since(wanted=True) is None  # it never was well: the command tells
    watch.be_well()
    before = time.time()
    watch.begin_command()
    since = watch.told_since(wanted=True)
    assert since is not None and before <= since <= time.time()
    assert watch.told_since(wanted=False) is None
