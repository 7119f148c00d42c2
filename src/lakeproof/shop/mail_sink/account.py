"""Whether the provider takes messages of the shop's account at all; a real one may suspend it, or set it a limit.

It lies in a file, so a restart of the sink changes nothing about it.
"""

from pathlib import Path

from lakeproof.errors import TransientError
from lakeproof.written import write_file


class Account:
    """The shop's account. `refusal`: what every sender is answered, as SMTP says it; "": messages are taken."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "refusal"
        self.refusal = self._path.read_text(encoding="ascii") if self._path.exists() else ""

    def set_refusal(self, answer: str) -> None:
        """From now on. Raises: OSError where the disk does not take it."""
        write_file(self._path, answer)
        self.refusal = answer


def ask_refusal(url: str, answer: str) -> None:
    """Have the sink at that URL refuse with `answer`, or take messages again (""). Raises: TransientError."""
    import httpx

    try:
        httpx.put(f"{url}/account", json={"refusal": answer}, timeout=5.0, trust_env=False).raise_for_status()
    except httpx.HTTPError as error:
        raise TransientError(
            f"the account was not set: {type(error).__name__}", where=url, next_action="lakeproof up mail-sink"
        ) from error
