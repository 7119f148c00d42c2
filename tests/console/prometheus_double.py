"""An HTTP server that answers as Prometheus does, with what the test gives it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.conftest import serving

from lakeproof.stack.stack import Stack


@contextmanager
def prometheus(stack: Stack, results: Mapping[str, Any]) -> Iterator[tuple[Stack, list[dict[str, str]]]]:
    """results: query → `result`. Gives the stack with that Prometheus, and the questions asked so far."""
    asked: list[dict[str, str]] = []

    def answer(_method: str, path: str, _body: bytes) -> tuple[int, object]:
        parts = urlsplit(path)
        question = {name: values[0] for name, values in parse_qs(parts.query).items()}
        asked.append({"path": parts.path, **question})
        kind = "matrix" if parts.path.endswith("query_range") else "vector"
        data = {"resultType": kind, "result": results.get(question.get("query", ""), [])}
        return 200, {"status": "success", "data": data}

    with serving(answer) as address:
        yield stack.at("prometheus", f"http://{address}"), asked
