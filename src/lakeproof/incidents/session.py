"""Who is signed in to the pages: a cookie that the desk's token signs, and a token for each form.

The cookie holds a name, an end and a random number. Nobody can make one without the desk's token. A cookie that was
made with another token is worth nothing. The desk keeps nothing about cookies, so they outlive its restart.
"""

import hmac
import re
import secrets
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from lakeproof.errors import InvalidInput
from lakeproof.incidents.person import refuse_machine

SESSION_SECONDS = 12 * 3600
FIELD = "csrf"
LONGEST_NAME = 64


@dataclass(frozen=True)
class Session:
    """One signed-in browser. who: the name that the timeline will show."""

    who: str
    ends: int
    nonce: str


class Sessions:
    """Makes and reads the cookies of one desk. `clock` gives seconds since 1970."""

    def __init__(self, token: str, name: str, clock: Callable[[], float] = time.time) -> None:
        self._key = token.encode()
        self._clock = clock
        # A browser sends a cookie to all ports of a host: two stacks must not take each other's.
        self.cookie = f"lakeproof-session-{re.sub(r'[^A-Za-z0-9]', '-', name)}"

    def is_token(self, given: str) -> bool:
        """Whether `given` is the desk's token, compared in constant time."""
        return hmac.compare_digest(given.strip().encode(), self._key)

    def start(self, who: str) -> str:
        """The cookie's value for somebody who showed the token. Raises: InvalidInput for a machine's own name."""
        name = refuse_machine(" ".join(who.split())[:LONGEST_NAME] or "operator")
        encoded = urlsafe_b64encode(name.encode()).decode().rstrip("=")
        facts = f"{encoded}.{int(self._clock()) + SESSION_SECONDS}.{secrets.token_urlsafe(16)}"
        return f"{facts}.{self._sign('session', facts)}"

    def read(self, cookie: str) -> Session | None:
        """The session of a cookie; None where it was not made here, was changed, or is over."""
        facts, _, mark = cookie.rpartition(".")
        if not hmac.compare_digest(mark.encode(), self._sign("session", facts).encode()):
            return None
        encoded, ends, nonce = facts.split(".")
        if int(ends) < self._clock():
            return None
        who = urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode()
        try:
            refuse_machine(who)  # the cookie may be from before such names were refused
        except InvalidInput:
            return None
        return Session(who, int(ends), nonce)

    def form_token(self, session: Session, path: str) -> str:
        """What a form that posts to `path` has to bring along in its field `csrf`."""
        return self._sign("form", f"{session.nonce} {path}")

    def is_form_token(self, session: Session, path: str, given: str) -> bool:
        """Whether `given` is the token of a form that posts to `path`, compared in constant time."""
        return hmac.compare_digest(given.encode(), self.form_token(session, path).encode())

    def _sign(self, purpose: str, text: str) -> str:
        return hmac.new(self._key, f"{purpose}\n{text}".encode(), "sha256").hexdigest()


class Tries:
    """Counts wrong tries. After `most` of them within `seconds`, further ones are refused for a while."""

    def __init__(self, most: int, seconds: float) -> None:
        self._most, self._seconds = most, seconds
        self._wrong: deque[float] = deque(maxlen=most)

    def count_wrong(self) -> None:
        """Count one more wrong try."""
        self._wrong.append(time.monotonic())

    def wait_seconds(self) -> int:
        """For how many seconds further wrong tries are refused; 0 where they are not."""
        if len(self._wrong) < self._most:
            return 0
        left = self._wrong[0] + self._seconds - time.monotonic()
        return max(0, int(left) + 1) if left > 0 else 0
