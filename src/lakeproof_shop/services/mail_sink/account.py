"""Whether the provider takes messages of the shop's account at all. A real provider may suspend or limit an account.

The answer is kept in a file, so that it outlives a restart of the sink.
"""

from pathlib import Path

from lakeproof.errors import TransientError
from lakeproof.written import write_file


class Account:
    """The shop's account. `refusal`: the SMTP answer that every sender gets, or "" while messages are taken."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "refusal"
        self.refusal = self._path.read_text(encoding="ascii") if self._path.exists() else ""

    def set_refusal(self, answer: str) -> None:
        """Refuse every sender with this answer from now on ("": take messages). Raises: OSError of the disk."""
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
