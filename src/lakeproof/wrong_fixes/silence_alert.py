"""A wrong fix: silence the alert in Alertmanager. Nobody hears of it any more, and nothing is mended."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from lakeproof.arguments import Arguments
from lakeproof.errors import TerminalError
from lakeproof.stack.stack import Stack
from lakeproof.wrong_fixes.wrong_step import WrongStep

AUTHOR = "lakeproof"
ASK_SECONDS = 5.0


class SilenceAlert(Arguments):
    """`alert`: the alert's name. `minutes`: how long the silence lasts."""

    alert: str
    minutes: int = 30


def typed(stack: Stack, arguments: SilenceAlert) -> str:
    """Alertmanager's own tool."""
    return (
        f"amtool --alertmanager.url={stack.url('alertmanager')} silence add alertname={arguments.alert} "
        f"--duration={arguments.minutes}m --author={AUTHOR} --comment=drill"
    )


def run(stack: Stack, arguments: SilenceAlert) -> str:
    """Add the silence."""
    now = datetime.now(UTC)
    silence = {
        "matchers": [{"name": "alertname", "value": arguments.alert, "isRegex": False, "isEqual": True}],
        "startsAt": now.isoformat(),
        "endsAt": (now + timedelta(minutes=arguments.minutes)).isoformat(),
        "createdBy": AUTHOR,
        "comment": "drill",
    }
    made = _ask(stack, "POST", "/api/v2/silences", silence)
    return f"silence {made['silenceID']} on {arguments.alert}"


def undo(stack: Stack, arguments: SilenceAlert) -> None:
    """End every silence of ours on that alert."""
    for silence in _ask(stack, "GET", "/api/v2/silences"):
        ours = silence["createdBy"] == AUTHOR and silence["status"]["state"] != "expired"
        if ours and any(matcher["value"] == arguments.alert for matcher in silence["matchers"]):
            _ask(stack, "DELETE", f"/api/v2/silence/{silence['id']}")


def _ask(stack: Stack, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
    url = f"{stack.url('alertmanager')}{path}"
    try:
        with httpx.Client(timeout=ASK_SECONDS, trust_env=False) as client:
            answer = client.request(method, url, json=body)
            answer.raise_for_status()
            return answer.json() if answer.content else None
    except (httpx.HTTPError, ValueError) as error:
        raise TerminalError(f"{method}: {error}", where=url, next_action="is Alertmanager up?") from error


WRONG_STEP = WrongStep("silence_alert", "silence an alert (mends nothing)", typed, run, SilenceAlert, undo)
