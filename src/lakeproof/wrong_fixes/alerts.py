"""Steps on alerts that only look like a repair."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from lakeproof.errors import TerminalError
from lakeproof.stack.stack import Stack
from lakeproof.wrong_fixes.wrong_step import WrongStep

AUTHOR = "lakeproof"

ASK_SECONDS = 5.0


class SilenceAlert(WrongStep):
    """Silence an alert (mends nothing).

    `alert`: the alert's name. `minutes`: how long the silence lasts.
    """

    alert: str
    minutes: int = 30

    def typed(self, stack: Stack) -> str:
        """Alertmanager's own tool."""
        return (
            f"amtool --alertmanager.url={stack.url('alertmanager')} silence add alertname={self.alert} "
            f"--duration={self.minutes}m --author={AUTHOR} --comment=drill"
        )

    def run(self, stack: Stack) -> str:
        """Add the silence."""
        now = datetime.now(UTC)
        silence = {
            "matchers": [{"name": "alertname", "value": self.alert, "isRegex": False, "isEqual": True}],
            "startsAt": now.isoformat(),
            "endsAt": (now + timedelta(minutes=self.minutes)).isoformat(),
            "createdBy": AUTHOR,
            "comment": "drill",
        }
        made = _ask(stack, "POST", "/api/v2/silences", silence)
        return f"silence {made['silenceID']} on {self.alert}"

    def undo(self, stack: Stack) -> None:
        """End every silence of ours on that alert."""
        for silence in _ask(stack, "GET", "/api/v2/silences"):
            ours = silence["createdBy"] == AUTHOR and silence["status"]["state"] != "expired"
            if ours and any(matcher["value"] == self.alert for matcher in silence["matchers"]):
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
