"""Jobs that a page started, as their folders hold them."""

import json
import os
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from lakeproof.processes import procfs
from lakeproof.stack.stack import Stack

AT = datetime(2026, 1, 1, tzinfo=UTC)
STEP = {
    "action": "resume_connector",
    "arguments": {"connector": "orders"},
    "summary": "s",
    "typed": "t",
    "cause": "c",
    "further": ["job_missing", "trino_down"],
    "risk": {"level": "low", "en": "", "vi": ""},
}


def keep_job(stack: Stack, kind: str, about: str, *, lines: str = "", at: datetime = AT) -> Path:
    """A job whose process is the one of the test; gives its folder."""
    folder = stack.state_dir / "jobs" / f"{kind}-{at:%Y%m%d-%H%M%S-%f}"
    folder.mkdir(parents=True)
    facts = {"kind": kind, "about": about, "who": "an", "at": at.isoformat(), "commands": [["env"]]}
    born = procfs.identify(os.getpid())
    assert born is not None
    (folder / "job.json").write_text(json.dumps(facts | {"process": asdict(born)}))
    (folder / "out.log").write_text(lines)
    return folder
