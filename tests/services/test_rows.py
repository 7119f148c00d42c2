from pathlib import Path

import pytest

from lakeproof.errors import CouldNotLook
from lakeproof.stack.database_rows import read_rows
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack


def test_a_server_that_is_not_there_is_told_in_one_line(tmp_path: Path) -> None:
    endpoints = {"postgres": {"tcp": "127.0.0.1:9"}}
    secrets = {"postgres-reader": "x"}
    stack = Stack(Settings(mode="external", state_dir=tmp_path, endpoints=endpoints, secrets=secrets))
    with pytest.raises(CouldNotLook, match="no answer: ") as caught:
        read_rows(stack, "SELECT 1")
    assert "\n" not in caught.value.message and "\t" not in caught.value.message
