"""Move attachments that are old into the object store; each is read back before its local file goes. Prints JSON."""

import argparse
import asyncio
import sys

DAYS_MAX = 36_500.0


def main() -> int:
    """Exit 0 where every candidate was moved (or --dry-run was given), else 1."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--age-days", type=float, default=30.0, help="attachments that old or older")
    parser.add_argument("--dry-run", action="store_true", help="only say what would be moved")
    given = parser.parse_args()
    if not 0 <= given.age_days <= DAYS_MAX:
        parser.error(f"--age-days must be between 0 and {DAYS_MAX:g}")

    from lakeproof.cli.output import fail, print_json, say
    from lakeproof.errors import LakeproofError
    from lakeproof.shop.support.offload import offload
    from lakeproof.stack.stack import load_stack

    try:
        done = asyncio.run(offload(load_stack(), given.age_days, dry_run=given.dry_run, progress=say))
    except LakeproofError as error:
        return fail(error)
    print_json(done.to_json())
    return 1 if done.failed else 0


if __name__ == "__main__":
    sys.exit(main())
