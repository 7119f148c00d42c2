"""alert-storm: webhooks as Alertmanager sends them, 500 alerts a minute, while the desk is killed with -9 in between.

Each notification brings ten alerts and is sent until the desk answers 200, as Alertmanager does; a later notification
resolves them. Afterwards each notification is sent once more: the desk must know every alert in it. A constraint in
the desk's database keeps an alert from being stored twice; each group of alerts must have exactly one incident. Then
more notifications are sent at full speed, for the ratio. The incidents stay at the desk, resolved, and each becomes a
ticket where an ITSM is configured: use a separate stack.
"""

import time
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import httpx

from benchmarks.benchmark import Benchmark, Options, Progress, Ratio, Result
from benchmarks.usage import Usage
from lakeproof.deadline import Deadline
from lakeproof.processes.client import SupervisorClient
from lakeproof.processes.killing import kill_and_await
from lakeproof.stack.stack import Stack
from lakeproof_shop.customers.shoppers.report import percentiles_ms

ALERTS_A_MINUTE = 500.0
ALERTS_EACH = 10
SECONDS = 60.0
KILLS = 3
COMES_BACK_SECONDS = 180.0  # the desk's start takes 5 s, and 30 s on a machine that is busy with proofs
FULL_SPEED = 30  # notifications
PAGE = 1000  # incidents that the desk lists in one answer, at most
# SHARED is the component of five of the ten alerts of each notification. The others have one each, PART and a number.
SHARED, PART = "storm", "part-"


def run(stack: Stack, options: Options, progress: Progress) -> Result:
    """Raises: CouldNotLook where no supervisor runs; DeadlineExpired where the desk does not come back."""
    seconds, kills = options.seconds or SECONDS, options.rounds or KILLS
    wanted = int(seconds * ALERTS_A_MINUTE / 60 / ALERTS_EACH)
    start = int(time.time()) * 1000
    desk, looking = _Desk(stack), Usage(stack)
    waits: list[float] = []
    killed_at = {round((number + 1) * wanted / (kills + 1)) for number in range(kills)}
    supervisor, storm = SupervisorClient(stack), Deadline(float("inf"))
    for number in range(wanted):
        # An open loop: notifications that were due while the desk was away are sent as soon as it is back.
        storm.pause(max(0.0, number * seconds / wanted - storm.elapsed))
        if number in killed_at:
            progress(f"kill -9 after {number} of {wanted} notifications")
            kill_and_await(supervisor, ["desk"], Deadline(COMES_BACK_SECONDS))
        waits.append(desk.send(_notification(start, number, "firing")))
        if number:
            waits.append(desk.send(_notification(start, number - 1, "resolved")))
    usage = looking.table()
    lost = sum(ALERTS_EACH - desk.known(_notification(start, number, "firing")) for number in range(wanted))
    second_incidents = second_incidents_of(desk.incidents(), start / 1000)
    begun = time.monotonic()
    for number in range(wanted, wanted + FULL_SPEED):
        desk.send(_notification(start, number, "firing"))
    full_speed = FULL_SPEED * ALERTS_EACH / (time.monotonic() - begun)
    for number in (wanted - 1, *range(wanted, wanted + FULL_SPEED)):
        desk.send(_notification(start, number, "resolved"))
    spread = percentiles_ms(waits)
    row = {
        "alerts": wanted * ALERTS_EACH,
        "kills": kills,
        "lost": lost,
        "second_incidents": second_incidents,
        **{f"{name}_ms": round(spread[name], 1) for name in ("p50", "p95", "max")},
        "full_speed_alerts_per_s": round(full_speed, 1),
    }
    return Result(
        "alert-storm",
        options,
        {f"{ALERTS_A_MINUTE:g} alerts a minute": [row], "by process (percent of one core)": usage},
        [Ratio("alerts that it takes at full speed to a storm's", round(full_speed * 60 / ALERTS_A_MINUTE, 1))],
        failed=lost != 0 or second_incidents != 0,
    )


def second_incidents_of(incidents: Iterable[Mapping[str, Any]], since: float) -> int:
    """How many incidents opened since `since` (UNIX time) are not the first one of their group.

    Alerts of the same component are one group in this storm, and no group is ever all clear before its last alert.
    """
    opened = Counter(
        row["service"]
        for row in incidents
        if (row["service"] == SHARED or str(row["service"]).startswith(PART))
        and datetime.fromisoformat(row["opened_at"]).timestamp() >= since
    )
    return sum(opened.values()) - len(opened)


class _Desk:
    """The desk's webhook. Each call is repeated until the desk answers."""

    def __init__(self, stack: Stack) -> None:
        self._url = f"{stack.url('desk')}/api/alertmanager"
        self._incidents_url = f"{stack.url('desk')}/api/incidents"
        headers = {"Authorization": f"Bearer {stack.secret('desk-token')}"}
        # One client for all calls: making a client costs more than the desk's whole answer.
        self._client = httpx.Client(headers=headers, timeout=30, trust_env=False)

    def send(self, body: dict[str, Any]) -> float:
        """Send a notification; gives the seconds of the try that the desk answered. Raises: DeadlineExpired."""

        def once() -> float | None:
            begun = time.monotonic()
            return time.monotonic() - begun if self._post(body) is not None else None

        return Deadline(COMES_BACK_SECONDS).wait_for("the desk to take a webhook", once, every=0.2)

    def known(self, body: dict[str, Any]) -> int:
        """Send a notification; gives how many of its alerts the desk had already."""
        answer = Deadline(COMES_BACK_SECONDS).wait_for(
            "the desk to take a webhook", lambda: self._post(body), every=0.2
        )
        return int(answer["known"])

    def incidents(self) -> list[dict[str, Any]]:
        """All incidents of the desk, newest first. Raises: DeadlineExpired."""
        rows: list[dict[str, Any]] = []

        def page() -> list[dict[str, Any]] | None:
            before = {"before": rows[-1]["id"]} if rows else {}
            try:
                answer = self._client.get(self._incidents_url, params={"most": str(PAGE), **before})
            except httpx.HTTPError:
                return None
            return list(answer.json()) if answer.status_code == 200 else None

        while True:
            found = Deadline(COMES_BACK_SECONDS).wait_for("the desk to list incidents", page, every=0.2)
            rows += found
            if len(found) < PAGE:
                return rows

    def _post(self, body: dict[str, Any]) -> dict[str, Any] | None:
        try:
            answer = self._client.post(self._url, json=body)
        except httpx.HTTPError:
            return None
        return dict(answer.json()) if answer.status_code == 200 else None


def _notification(start: int, number: int, status: str) -> dict[str, Any]:
    """A notification of ten alerts: five about the component SHARED, five about a component of their own."""
    alerts = [
        {
            "status": status,
            "labels": {
                "alertname": f"Storm{number % 7}" if each % 2 else "Storm",
                "component": SHARED if each % 2 == 0 else f"{PART}{number}-{each}",
                "severity": "warning",
            },
            "startsAt": "2026-01-01T00:00:00Z",
            "endsAt": "2026-01-01T00:01:00Z",
            "fingerprint": f"{start + number:x}{each:x}",
        }
        for each in range(ALERTS_EACH)
    ]
    return {"version": "4", "status": status, "externalURL": "http://storm", "alerts": alerts}


BENCHMARK = Benchmark(
    "alert-storm", "500 alerts a minute at the desk, killed with -9 meanwhile; leaves their incidents", ("desk",), run
)
