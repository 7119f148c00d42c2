"""The protocol of the daemon's socket: one request per connection, JSON lines, events before the one last line.

Request: {"do": "up|down|ps|chain|kill|stop|start|restart|handed|forget|hello", …}.
Answers: {"event": …}*, then {"done": …} or {"error": …}.
"""

import json
import signal
from collections.abc import Mapping
from typing import Any

from lakeproof import errors
from lakeproof.errors import LakeproofError, PortTaken
from lakeproof.processes.start_failure import StartFailed

HEARTBEAT_SECONDS = 4.0  # the daemon is never silent for longer while it works on a request
LINE_BYTES_MAX = 1 << 20
SIGNALS = {"KILL": signal.SIGKILL, "STOP": signal.SIGSTOP, "CONT": signal.SIGCONT, "TERM": signal.SIGTERM}


def encode(message: Mapping[str, Any]) -> bytes:
    """The message as one line of JSON."""
    return json.dumps(message, default=str).encode() + b"\n"


def error_to_json(error: LakeproofError) -> dict[str, Any]:
    """An error as it goes over the socket."""
    data: dict[str, Any] = {
        "kind": type(error).__name__,
        "what": error.what,
        "where": error.where,
        "next_action": error.next_action,
    }
    if isinstance(error, StartFailed):
        data |= {
            "component": error.component,
            "reason": error.reason,
            "log_path": error.log_path,
            "log_lines": error.log_lines,
        }
    if isinstance(error, PortTaken):
        data |= {"port": error.port, "component": error.component, "holder": error.holder}
    return data


def error_from_json(data: Mapping[str, Any]) -> LakeproofError:
    """The reverse of `error_to_json`. An error of a class that is not listed here becomes a TerminalError."""
    if data["kind"] == PortTaken.__name__:
        return PortTaken(int(data["port"]), str(data["component"]), str(data["holder"]))
    if data["kind"] == StartFailed.__name__:
        return StartFailed(
            str(data["component"]), str(data["reason"]), str(data["log_path"]), list(data["log_lines"])
        )
    plain = {
        one.__name__: one
        for one in (errors.InvalidInput, errors.CouldNotLook, errors.TransientError, errors.TerminalError)
    }
    kind = plain.get(str(data["kind"]), errors.TerminalError)
    return kind(str(data["what"]), where=str(data["where"]), next_action=str(data["next_action"]))
