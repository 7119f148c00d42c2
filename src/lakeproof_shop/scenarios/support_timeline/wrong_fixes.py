"""Steps that look like a repair of support-timeline, and are none."""

from pathlib import Path

from pydantic import Field

from lakeproof.errors import TerminalError
from lakeproof.processes.environment import TIMELINE_CACHE_TTL
from lakeproof.stack.stack import Stack
from lakeproof.wrong_fixes.handed_setting import HandedSetting
from lakeproof.wrong_fixes.wrong_step import WrongStep
from lakeproof_shop.scenarios.support_timeline.probes import SERVICE
from lakeproof_shop.services.support.file_store import attachment_dir


class DeleteAttachments(WrongStep):
    """Delete the large files among support's attachments (customers lose them).

    A wrong fix: delete the large files in support's folder of attachments. There is room again, and the cases list
    files that nobody can read.

    A drill has to leave the stack as it was. So `run` moves the files to another folder, where support does not
    look: for everybody else they are gone.

    `megabytes`: files larger than this.
    """

    megabytes: float = Field(1.0, ge=0)

    def typed(self, stack: Stack) -> str:
        """The deletion by hand."""
        return f"find {attachment_dir(stack) / 'files'} -type f -size +{self.megabytes * 1e6:.0f}c -delete"

    def run(self, stack: Stack) -> str:
        """Move the large files aside. Raises: TerminalError where a move fails; earlier files are moved by then."""
        kept, moved = _laid_aside(stack), 0
        for file in _files(attachment_dir(stack) / "files"):
            if file.stat().st_size > self.megabytes * 1e6:
                _move(file, kept / file.parent.name / file.name)
                moved += 1
        return f"{moved} attachments larger than {self.megabytes:g} MB are deleted"

    def undo(self, stack: Stack) -> None:
        """Move the files back; safe to repeat, and after an interruption at any point. Raises: TerminalError."""
        kept = _laid_aside(stack)
        for file in _files(kept):
            _move(file, attachment_dir(stack) / "files" / file.parent.name / file.name)
        try:
            for folder in kept.iterdir():
                folder.rmdir()
            kept.rmdir()
        except FileNotFoundError:
            pass  # nothing was laid aside
        except OSError as error:
            raise TerminalError(
                f"not removed: {error.strerror}", where=str(error.filename), next_action="move by hand what is there"
            ) from error


def _laid_aside(stack: Stack) -> Path:
    folder = attachment_dir(stack)
    return folder.with_name(f"{folder.name}.deleted-by-hand")


def _files(folder: Path) -> list[Path]:
    """All files as a list, so that moving one does not disturb the listing."""
    return sorted(folder.glob("*/*"))


def _move(file: Path, target: Path) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        file.rename(target)
    except OSError as error:
        raise TerminalError(f"not moved: {error.strerror}", where=str(file)) from error


class LongerCache(HandedSetting):
    """Let support keep timelines for longer (mends nothing).

    A wrong fix: let support keep timelines for longer. One that lacks a source is never kept, so the source is asked,
    and waited for, as before.

    `seconds`: the new timeline_cache_ttl_seconds of the support service.
    """

    service = SERVICE
    variable = TIMELINE_CACHE_TTL
    after = "{service} keeps a timeline for {value} s"

    seconds: int = Field(600, ge=1, le=86_400)
