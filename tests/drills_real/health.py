"""How a whole stack is, by the program's own looks: what `diagnose` names and whether `check` is clean."""

import contextlib
import json
from collections.abc import Callable
from typing import Any

from lakeproof.deadline import Deadline
from lakeproof.errors import CouldNotLook
from lakeproof.lake.publish import history
from lakeproof.lake.publish.history import NothingPublished
from lakeproof.proof.tables.every_hash import EveryHash
from lakeproof.stack.stack import Stack

type Run = Callable[..., Any]

BACK_SECONDS = 180.0
JUDGED_SECONDS = 400.0


def diagnosed(lakeproof: Run) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(lakeproof("diagnose", "--json", seconds=60).out)
    return found


def named(found: dict[str, Any]) -> list[str]:
    return [cause["cause"] for cause in found["causes"]]


def brief(found: dict[str, Any]) -> str:
    unknown = [(seen["probe"], seen["value"], seen.get("error")) for seen in found["unknown"]]
    return f"{named(found)}, unknown {unknown}"


def await_health(lakeproof: Run) -> None:
    """Until `diagnose` finds nothing. Raises: DeadlineExpired with what it found last."""
    last = ""

    def look() -> bool | None:
        nonlocal last
        found = diagnosed(lakeproof)
        last = brief(found)
        return True if found["healthy"] else None

    Deadline(BACK_SECONDS).wait_for("the stack to be healthy", look, seen=lambda: last)


def assert_clean(lakeproof: Run) -> dict[str, Any]:
    """Every acknowledged order is in the database and in the lake, as it was acknowledged. Gives the report."""
    done = lakeproof("check", "--wait-seconds", "120", "--json", seconds=300)
    report: dict[str, Any] = json.loads(done.out)
    broken = [one for one in report["across"] if one["violations"]]
    assert (done.code, report["verdict"], broken) == (0, "passed", []), done.err[-3000:] + done.out[-3000:]
    assert report["oversold"] in (0, None)  # None: no inventory in this stack
    return report


def assert_whole_shop_clean(lakeproof: Run) -> dict[str, Any]:
    """The shop's claims, over all its stores, were looked at as well, and hold. Gives the report."""
    report = assert_clean(lakeproof)
    assert any(one["claim"].startswith("shop: captured money") for one in report["across"])
    assert report["oversold"] == 0
    return report


def first_hash(stack: Stack) -> str:
    """The newest published hash, once there is one."""

    def look() -> str | None:
        with contextlib.suppress(NothingPublished):
            return history.newest(stack).hash
        return None

    return Deadline(BACK_SECONDS).wait_for("a first published hash", look)


def assert_no_hash_is_torn(following: EveryHash) -> None:
    """Every hash that was published since the last look was judged, and none shows a part of a transaction."""

    def look() -> bool | None:
        try:
            following.look(Deadline(60))
        except CouldNotLook:  # Trino may be busy, or just be back
            return None
        return None if following.waiting else True

    judging = Deadline(JUDGED_SECONDS)
    judging.wait_for("every published hash to be judged", look, every=1.0, seen=lambda: f"{following.waiting} wait")
    assert (following.torn, following.waiting, following.not_looked) == ([], 0, 0)
