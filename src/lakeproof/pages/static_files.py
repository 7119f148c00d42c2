"""Serves the stylesheet and scripts from this package: no page loads anything from elsewhere."""

import hashlib
import mimetypes
from functools import cache
from pathlib import Path

from fastapi import FastAPI
from fastapi.responses import Response
from starlette.exceptions import HTTPException

FOLDER = Path(__file__).parent / "static"
PREFIX = "/static/"
# The address of a file holds the digest of its content, so a browser may keep the file for good.
FOR_GOOD = "public, max-age=31536000, immutable"


@cache
def _names() -> frozenset[str]:
    return frozenset(str(path.relative_to(FOLDER)) for path in FOLDER.rglob("*") if path.is_file())


@cache
def _digest(name: str) -> str:
    return hashlib.sha256((FOLDER / name).read_bytes()).hexdigest()[:12]


def address(name: str) -> str:
    """The address of that file in the folder `static`. Raises: KeyError where there is no such file."""
    if name not in _names():
        raise KeyError(name)
    return f"{PREFIX}{name}?v={_digest(name)}"


def add_static_files(app: FastAPI) -> None:
    """Add `/static/NAME`. A name is used as a path only where it is the name of one of our files."""

    @app.get(PREFIX + "{name:path}", include_in_schema=False)
    def give(name: str) -> Response:
        if name not in _names():
            raise HTTPException(404)
        kind = mimetypes.guess_type(name)[0] or "text/plain"
        return Response((FOLDER / name).read_bytes(), media_type=kind, headers={"Cache-Control": FOR_GOOD})
