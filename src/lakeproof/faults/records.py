"""Faults that were injected and not yet removed, on disk, so that they can be removed after a crash.

The record is written before the fault is made: a crash between the two leaves a record without a fault, which
`remove` (safe to repeat) clears, and never a fault without a record. A fault that could not be made is taken back at
once; where even that fails, the record stays and says that the fault may be in the stack.
"""

import json
import logging
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lakeproof.arguments import Arguments, parse_arguments
from lakeproof.errors import InvalidInput, LakeproofError, TerminalError
from lakeproof.faults.fault import Fault
from lakeproof.stack.stack import Stack

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class FaultRecord:
    """One fault that is, or may be, in the stack. `by`: the drill's scenario, or "hand".

    made: False from just before it is made until it is: then it may be in, whole or in part, or not at all.
    """

    fault: str
    args: Mapping[str, Any]
    at: str
    by: str
    made: bool = True


def _folder(stack: Stack) -> Path:
    return stack.state_dir / "faults"


def _path(stack: Stack, fault: Fault) -> Path:
    return _folder(stack) / f"{fault.id}.json"


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
    """Record the fault, then make it; one that cannot be made is taken back, and its record with it.

    Raises: InvalidInput for wrong arguments or a fault that is already there; what `fault.inject` raises;
    TerminalError where the record cannot be written: then nothing was made, or a record of a moment before says that
    it may be.
    """
    arguments = parse_arguments(fault.arguments, given, fault.id)
    for record in recorded(stack):
        if record.fault == fault.id:
            state = "is already" if record.made else "may be"
            raise InvalidInput(
                f"this fault {state} in the stack", where=fault.id, next_action=f"lakeproof fault remove {fault.id}"
            )
    record = FaultRecord(fault.id, arguments.model_dump(mode="json"), datetime.now(UTC).isoformat(), by, made=False)
    _write(_path(stack, fault), record)
    try:
        fault.inject(stack, arguments)
    except LakeproofError as error:
        _take_back(stack, fault, arguments, error)
        raise
    record = replace(record, made=True)
    _write(_path(stack, fault), record)
    log.info("fault %s injected by %s", fault.id, by)
    return record


def _take_back(stack: Stack, fault: Fault, arguments: Arguments, why: LakeproofError) -> None:
    """After a failed `inject`. What was refused changed nothing; anything else may have stopped half-way."""
    try:
        if not isinstance(why, InvalidInput):
            fault.remove(stack, arguments)
    except LakeproofError as error:
        log.warning("fault %s could not be made, nor taken back: %s", fault.id, error.message)
        return
    _path(stack, fault).unlink(missing_ok=True)


def remove(stack: Stack, fault: Fault, given: Mapping[str, Any] | None = None) -> None:
    """Take the fault back and forget it. Without a record, `given` (or the defaults) says which one is meant.

    Raises: what `fault.remove` raises; OSError where the record cannot be removed, when the fault is out.
    """
    record = next((record for record in recorded(stack) if record.fault == fault.id), None)
    arguments = parse_arguments(fault.arguments, record.args if record else given or {}, fault.id)
    fault.remove(stack, arguments)
    _path(stack, fault).unlink(missing_ok=True)
    log.info("fault %s removed", fault.id)


def _write(path: Path, record: FaultRecord) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial")
        with partial.open("w", encoding="utf-8") as file:
            json.dump(asdict(record), file)
            file.flush()
            os.fsync(file.fileno())
        partial.rename(path)
    except OSError as error:
        raise TerminalError(
            f"the fault cannot be put on record: {error.strerror}",
            where=str(path),
            next_action=f"free or mend that place; `lakeproof fault remove {record.fault}` takes out what was made",
        ) from error
