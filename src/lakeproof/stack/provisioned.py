"""What a component's provision has already made, so that it makes each thing once and repairs nothing unseen.

A connector deleted by hand or a grant taken away is an incident that diagnosis must find; a restart must not hide
it (docs/decisions/0002-provision-does-not-repair.md). So provision asks here before it makes something, and makes
it again only where its definition changed.
"""

import hashlib
import json
import os
from pathlib import Path

from lakeproof.errors import TerminalError
from lakeproof.held_file import hold
from lakeproof.stack.stack import Stack
from lakeproof.written import write_file

LOCK_SECONDS = 10.0


def digest(*parts: str) -> str:
    """Identifies a definition: a definition that differs in any part has another digest."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:24]


def is_made(stack: Stack, component: str, thing: str, definition: str) -> bool:
    """True when provision of the component has made `thing` by exactly this definition (a digest)."""
    return _read(_path(stack, component)).get(thing) == definition


def remember(stack: Stack, component: str, thing: str, definition: str) -> None:
    """Note that `thing` is made. Call it last: a crash before it only makes provision run again.

    Provision and a command (`lake capture register`) may both note something; under the lock neither's note is lost.
    Raises: HeldByAnother.
    """
    path = _path(stack, component)
    with hold(path.with_suffix(".lock"), f"process {os.getpid()}", LOCK_SECONDS, every=0.02):
        made = _read(path) | {thing: definition}
        write_file(path, json.dumps(made, indent=1, sort_keys=True) + "\n")


def recall(stack: Stack, component: str, thing: str) -> str:
    """The definition that `remember` noted last for `thing`; empty: none. Raises: TerminalError for a broken file."""
    return _read(_path(stack, component)).get(thing, "")


def forget(stack: Stack, component: str) -> None:
    """Call it where the component's data were made anew: nothing that was noted exists any more."""
    _path(stack, component).unlink(missing_ok=True)


def _path(stack: Stack, component: str) -> Path:
    return stack.data_dir(component) / "provisioned.json"


def _read(path: Path) -> dict[str, str]:
    if not path.exists():
        return {}
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise TerminalError(
            "not valid JSON", where=str(path), next_action="remove it: provision then checks everything again"
        ) from error
