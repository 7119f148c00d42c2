"""The lake's own way to the object store keeps what Paimon relies on: its JUnit tests run against a real store."""

import pytest
from tests.engines.conftest import Up

from lakeproof.install.java_tests import run_tests
from lakeproof.install.recipe import clone_dir
from lakeproof.lake.publish.retention import abort_old_uploads
from lakeproof.stack.object_store import LAKE_BUCKET, s3_client
from lakeproof.stack.stack import Stack

pytestmark = [pytest.mark.engines, pytest.mark.timeout(300)]


def test_it_keeps_what_paimon_relies_on(up: Up, stack: Stack) -> None:
    up("minio")
    environment = {
        "LAKE_FILE_IO_ENDPOINT": stack.url("minio"),
        "LAKE_FILE_IO_ACCESS_KEY": stack.secret("s3-access-key"),
        "LAKE_FILE_IO_SECRET_KEY": stack.secret("s3-secret-key"),
    }
    assert run_tests(clone_dir() / "java" / "lake_file_io", "lake-io", environment) >= 16


def test_the_store_tells_of_parts_that_a_killed_upload_left_and_they_are_removed(up: Up, stack: Stack) -> None:
    up("minio")
    s3, key = s3_client(stack), "wh/killed/bucket-0/data.parquet"
    upload = s3.create_multipart_upload(Bucket=LAKE_BUCKET, Key=key)["UploadId"]
    s3.upload_part(Bucket=LAKE_BUCKET, Key=key, UploadId=upload, PartNumber=1, Body=b"part")
    assert abort_old_uploads(s3) == 0
    assert abort_old_uploads(s3, 0.0) == 1
    assert abort_old_uploads(s3, 0.0) == 0
