"""The columns that a table of the lake has now, whoever added them: Paimon keeps them in a file per schema."""

import json

from lakeproof.lake.job.submission import ObjectStoreUnreachable
from lakeproof.lake.sources.source import Source
from lakeproof.stack.object_store import LAKE_BUCKET, s3_client
from lakeproof.stack.stack import Stack


def lake_columns(stack: Stack, source: Source, table: str) -> dict[str, str]:
    """Column → Flink's type, by the table's newest schema; none where the lake has no such table yet.

    Raises: ObjectStoreUnreachable.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    prefix = f"wh/{source.name}.db/{table}/schema/schema-"
    s3 = s3_client(stack)
    try:
        found = s3.list_objects_v2(Bucket=LAKE_BUCKET, Prefix=prefix).get("Contents", ())
        numbers = [int(number) for each in found if (number := each["Key"].removeprefix(prefix)).isdigit()]
        if not numbers:
            return {}
        text = s3.get_object(Bucket=LAKE_BUCKET, Key=f"{prefix}{max(numbers)}")["Body"].read()
    except (BotoCoreError, ClientError) as error:
        raise ObjectStoreUnreachable(f"cannot read the table's schema: {error}", where="minio") from error
    return {field["name"]: field["type"].removesuffix(" NOT NULL") for field in json.loads(text)["fields"]}
