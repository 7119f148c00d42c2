"""Move attachments that are old into the object store; each is read back before its local file goes. Prints JSON.

It works where the folder of attachments is: in the stack's own state folder, or where `support_attachment_dir` says.
"""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from typing import Any

from lakeproof.cli.script import Arguments, told

DAYS_MAX = 36_500.0


def parsed(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The checked arguments."""
    parser = Arguments(__doc__)
    parser.add_argument("--age-days", type=float, default=30.0, help="attachments that old or older")
    parser.add_argument("--dry-run", action="store_true", help="only say what would be moved")
    given = parser.parse_args(arguments)
    if not 0 <= given.age_days <= DAYS_MAX:
        parser.error(f"--age-days must be between 0 and {DAYS_MAX:g}")
    return given


def main() -> int:
    """Exit 0 where every candidate was moved (or --dry-run was given), else 1."""
    given = parsed()

    def work(found: dict[str, Any]) -> int:
        from lakeproof.cli.output import say
        from lakeproof.errors import TerminalError
        from lakeproof.stack.stack import load_stack
        from lakeproof_shop.services.support.offload import offload

        done = asyncio.run(offload(load_stack(), given.age_days, dry_run=given.dry_run, progress=say))
        found |= done.to_json()
        if done.failed:
            first = "attachment {attachment}: {why}".format(**done.failed[0])
            raise TerminalError(f"{len(done.failed)} stay where they are, as {first}", where="support attachments")
        return 0

    return told(work)


if __name__ == "__main__":
    sys.exit(main())
