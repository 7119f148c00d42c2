"""Faults that were injected and not yet removed, on disk, so that they can be removed after a crash.

The record is written before the fault is made: a crash between the two leaves a record without a fault, which
`remove` (safe to repeat) clears, and never a fault without a record.
"""

import json
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lakeproof.arguments import parse_arguments
from lakeproof.errors import InvalidInput, TerminalError
from lakeproof.faults.fault import Fault
from lakeproof.stack.stack import Stack

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class FaultRecord:
    """One fault that is, or may be, in the stack. `by`: the drill's scenario, or "hand"."""

    fault: str
    args: Mapping[str, Any]
    at: str
    by: str


def _folder(stack: Stack) -> Path:
    return stack.state_dir / "faults"


def recorded(stack: Stack) -> tuple[FaultRecord, ...]:
    """Every fault on record. Raises: TerminalError for a record that cannot be read."""
    folder = _folder(stack)
    return tuple(_read(path) for path in sorted(folder.glob("*.json"))) if folder.is_dir() else ()


def _read(path: Path) -> FaultRecord:
    try:
        return FaultRecord(**json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise TerminalError(
            "not a record of a fault", where=str(path), next_action="look what it was, mend that, remove the file"
        ) from error


def inject(stack: Stack, fault: Fault, given: Mapping[str, Any], *, by: str) -> FaultRecord:
    """Record the fault, then make it. Raises: InvalidInput for wrong arguments or a fault that is already there."""
    arguments = parse_arguments(fault.arguments, given, fault.id)
    if any(record.fault == fault.id for record in recorded(stack)):
        raise InvalidInput(
            "this fault is already in the stack", where=fault.id, next_action=f"lakeproof fault remove {fault.id}"
        )
    record = FaultRecord(fault.id, arguments.model_dump(mode="json"), datetime.now(UTC).isoformat(), by)
    _write(_folder(stack) / f"{fault.id}.json", record)
    log.info("fault %s injected by %s", fault.id, by)
    fault.inject(stack, arguments)
    return record


def remove(stack: Stack, fault: Fault, given: Mapping[str, Any] | None = None) -> None:
    """Take the fault back and forget it. Without a record, `given` (or the defaults) says which one is meant."""
    record = next((record for record in recorded(stack) if record.fault == fault.id), None)
    arguments = parse_arguments(fault.arguments, record.args if record else given or {}, fault.id)
    fault.remove(stack, arguments)
    (_folder(stack) / f"{fault.id}.json").unlink(missing_ok=True)
    log.info("fault %s removed", fault.id)


def _write(path: Path, record: FaultRecord) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    with partial.open("w", encoding="utf-8") as file:
        json.dump(record.__dict__ | {"args": dict(record.args)}, file)
        file.flush()
        os.fsync(file.fileno())
    partial.rename(path)
