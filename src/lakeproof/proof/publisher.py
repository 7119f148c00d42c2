"""Runs the publisher with its full audit beside it: `python -m lakeproof.proof.publisher`.

The publisher belongs to the lake's package, and the audit to this one, which the lake may not import. So the two are
joined here.
"""

import logging
import signal
import sys

from lakeproof.errors import LakeproofError
from lakeproof.lake.publish.service import Service, serve
from lakeproof.proof.audit import PublishedAudit
from lakeproof.stack.stack import load_stack


def main() -> int:
    """Publish until SIGTERM; the round that runs is finished."""
    logging.basicConfig(level="INFO", format="%(asctime)s %(levelname)s %(name)s %(message)s", stream=sys.stdout)
    for name in ("botocore", "urllib3", "httpx", "httpcore"):
        logging.getLogger(name).setLevel(logging.WARNING)
    try:
        stack = load_stack()
        service = Service(stack, audit=PublishedAudit(stack))
        server = serve(service, stack.settings.host, stack.port("publisher"))
    except LakeproofError as error:
        logging.error("%s", error.message)
        return error.exit_code
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: service.stop())
    service.run()
    server.shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main())
