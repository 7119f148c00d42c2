"""The labels that may be picked up, as the object store lists them."""

from collections.abc import Mapping

from lakeproof.errors import CouldNotLook
from lakeproof.stack.database_rows import READ_SECONDS
from lakeproof.stack.object_store import LABEL_BUCKET, objects_under, s3_client
from lakeproof.stack.stack import Stack
from lakeproof_shop.proof.claims.facts import Store
from lakeproof_shop.services.fulfillment.label import READY


def read_labels(stack: Stack) -> Mapping[str, int]:
    """Key → size in bytes of every object under ready/, by one listing, 1000 a page. Raises: CouldNotLook."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        entries = objects_under(s3_client(stack, timeout_seconds=READ_SECONDS), LABEL_BUCKET, READY)
        return {str(entry["Key"]): int(entry["Size"]) for entry in entries}
    except (BotoCoreError, ClientError) as error:
        raise CouldNotLook(f"{LABEL_BUCKET}/{READY} is not listed: {error}", where=Store.LABELS.value) from error
