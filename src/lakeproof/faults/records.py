"""Faults that were injected and not yet removed, on disk, so that they can be removed after a crash. What a drill's
wrong fix leaves behind (wrong_fixes/wrong_step.py) is on record beside them.

The record is written before the fault is made: a crash between the two leaves a record without a fault, which
`remove` (safe to repeat) clears, and never a fault without a record. A fault that could not be made is taken back at
once; where even that fails, the record stays and says that the fault may be in the stack.
"""

import contextlib
import hashlib
import json
import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lakeproof.arguments import parse_arguments
from lakeproof.deadline import Deadline
from lakeproof.errors import CouldNotLook, DeadlineExpired, InvalidInput, LakeproofError, TerminalError
from lakeproof.faults.fault import Fault
from lakeproof.stack.stack import Stack
from lakeproof.written import write_file

log = logging.getLogger(__name__)


# How long a fault may take to show after it was made.
LANDING_SECONDS = 20.0


@dataclass(frozen=True)
class FaultRecord:
    """One fault that is, or may be, in the stack. `by`: the drill's scenario, or "hand".

    made: False until the fault is made; until then it may be in, whole or in part, or not at all.
    seen: the reading that showed that it landed.
    """

    fault: str
    args: Mapping[str, Any]
    at: str
    by: str
    made: bool = True
    seen: str = ""


def _folder(stack: Stack) -> Path:
    return stack.state_dir / "faults"


def _path(stack: Stack, fault: type[Fault], arguments: Mapping[str, Any]) -> Path:
    """One fault with other arguments (another component, another connector) is another fault in the stack."""
    key = hashlib.sha256(json.dumps(arguments, sort_keys=True).encode()).hexdigest()[:12]
    return _folder(stack) / f"{fault.id}-{key}.json"


def newest_first(stack: Stack) -> list[FaultRecord]:
    """As `recorded`, in the order to take them out: what was made later may stand on what was made before."""
    return sorted(recorded(stack), key=lambda record: record.at, reverse=True)


def recorded(stack: Stack) -> tuple[FaultRecord, ...]:
    """Every fault on record. Raises: TerminalError for a record that cannot be read."""
    return tuple(record for _, record in _on_disk(stack))


def _on_disk(stack: Stack) -> list[tuple[Path, FaultRecord]]:
    folder = _folder(stack)
    return [(path, _read(path)) for path in sorted(folder.glob("*.json"))] if folder.is_dir() else []


def _read(path: Path) -> FaultRecord:
    try:
        return FaultRecord(**json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise TerminalError(
            "not a record of a fault", where=str(path), next_action="look what it was, mend that, remove the file"
        ) from error


def announce(stack: Stack, fault: type[Fault], given: Mapping[str, Any], *, by: str) -> None:
    """Put a fault on record that the caller makes in a moment; `remove` takes it out, whether or not it was made.

    Raises: InvalidInput for wrong arguments; TerminalError where the record cannot be written.
    """
    args = parse_arguments(fault, given, fault.id).model_dump(mode="json")
    _write(_path(stack, fault, args), FaultRecord(fault.id, args, datetime.now(UTC).isoformat(), by, made=False))


@contextlib.contextmanager
def announced(stack: Stack, fault: type[Fault], all_given: Iterable[Mapping[str, Any]], *, by: str) -> Iterator[None]:
    """As `announce`, for as long as the caller makes these faults and takes them back by itself.

    At the end each record goes, unless the broken part still shows the fault or has no answer. A fault that was on
    record before stays there. Raises: as `announce`.
    """
    whole = [parse_arguments(fault, given, fault.id) for given in all_given]
    known = [record.args for record in recorded(stack) if record.fault == fault.id]
    own = [one for one in whole if one.model_dump(mode="json") not in known]
    for one in own:
        announce(stack, fault, one.model_dump(mode="json"), by=by)
    try:
        yield
    finally:
        for one in own:
            with contextlib.suppress(LakeproofError):
                if not one.sign(stack).holds:
                    _path(stack, fault, one.model_dump(mode="json")).unlink(missing_ok=True)


def inject(stack: Stack, fault: type[Fault], given: Mapping[str, Any], *, by: str) -> FaultRecord:
    """Record the fault, make it, and see that it landed. A fault that cannot be made, or that does not show, is taken
    back, and its record with it.

    Raises: InvalidInput for wrong arguments or a fault that is already there; what `fault.inject` raises;
    CouldNotLook where the fault did not show in time; TerminalError where the record cannot be written. In that case
    nothing was made, or the record written a moment before says that the fault may be in.
    """
    made = parse_arguments(fault, given, fault.id)
    args = made.model_dump(mode="json")
    for record in recorded(stack):
        if record.fault == fault.id and record.args == args:
            state = "is already" if record.made else "may be"
            raise InvalidInput(
                f"this fault {state} in the stack", where=fault.id, next_action=f"lakeproof fault remove {fault.id}"
            )
    path = _path(stack, fault, args)
    record = FaultRecord(fault.id, args, datetime.now(UTC).isoformat(), by, made=False)
    _write(path, record)
    try:
        made.inject(stack)
        seen = _landed(stack, made)
    except Exception as error:
        _take_back(stack, made, path, error)
        raise
    record = replace(record, made=True, seen=seen)
    _write(path, record)
    log.info("fault %s injected by %s: %s", fault.id, by, seen)
    return record


def _landed(stack: Stack, fault: Fault) -> str:
    """The reading that showed the fault. Raises: CouldNotLook where nothing did in time."""
    last = "nothing yet"

    def look() -> str | None:
        nonlocal last
        sign = fault.sign(stack)
        last = sign.seen
        return sign.seen if sign.holds else None

    try:
        return Deadline(LANDING_SECONDS).wait_for(
            f"{fault.id} to show", look, every=0.2, seen=lambda: last, unseen_is_not_yet=True
        )
    except DeadlineExpired as error:
        raise CouldNotLook(
            f"the fault was not seen to land: {error.last_seen}",
            where=fault.id,
            next_action="lakeproof ps, then try it again",
        ) from error


def _take_back(stack: Stack, fault: Fault, path: Path, why: Exception) -> None:
    """After a failed `inject`: a refused fault changed nothing; any other may have stopped half-way."""
    try:
        if not isinstance(why, InvalidInput):
            fault.remove(stack)
    except Exception as error:  # noqa: BLE001 - the error of the fault itself goes on, not that of its removal
        log.warning("fault %s could not be made, nor taken back: %s: %s", fault.id, type(error).__name__, error)
        return
    path.unlink(missing_ok=True)


def remove(stack: Stack, fault: type[Fault], given: Mapping[str, Any] | None = None) -> bool:
    """Take the fault back and forget it: every record of it whose arguments hold all that is `given`.

    Without such a record, `given` (or the defaults) says which fault is meant. False where that leaves it open: then
    nothing is done.
    Raises: what `fault.remove` raises; OSError where the record cannot be removed, though the fault is out.
    """
    wanted = dict(given or {})

    def meant(record: FaultRecord) -> bool:
        return record.fault == fault.id and all(str(record.args.get(name)) == str(wanted[name]) for name in wanted)

    found = [(path, record.args) for path, record in _on_disk(stack) if meant(record)]
    needed = {name for name, field in fault.model_fields.items() if field.is_required()}
    if not found and not needed <= wanted.keys():
        return False
    if not found:
        parse_arguments(fault, wanted, fault.id).remove(stack)
    for path, args in found:
        parse_arguments(fault, args, fault.id).remove(stack)
        path.unlink(missing_ok=True)
    log.info("fault %s removed", fault.id)
    return True


def _write(path: Path, record: FaultRecord) -> None:
    try:
        write_file(path, json.dumps(asdict(record)), durable=True)
    except OSError as error:
        raise TerminalError(
            f"the fault cannot be put on record: {error.strerror}",
            where=str(path),
            next_action=f"free or mend that place; `lakeproof fault remove {record.fault}` takes out what was made",
        ) from error
