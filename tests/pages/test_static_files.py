import hashlib
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from lakeproof.pages.static_files import FOLDER, address

VENDOR = FOLDER / "vendor"


def test_vendored_files_are_the_ones_that_were_fetched() -> None:
    listed = dict(line.split()[::-1] for line in (VENDOR / "checksums.sha256").read_text().splitlines())
    there = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in VENDOR.iterdir()}
    assert {name: digest for name, digest in there.items() if name != "checksums.sha256"} == listed


def test_each_vendored_script_has_its_licence_beside_it() -> None:
    names = {path.name.partition(".")[0] for path in VENDOR.iterdir()} - {"checksums"}
    assert [name for name in names if not (VENDOR / f"{name}.LICENSE.txt").is_file()] == []


def test_a_file_is_kept_by_the_browser_for_good_under_an_address_that_names_its_content(client: TestClient) -> None:
    answer = client.get(address("style.css"))
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["content-type"].startswith("text/css")
    assert answer.content == (FOLDER / "style.css").read_bytes()


@pytest.mark.parametrize(
    "name", ["../page.py", "%2e%2e/page.py", "..%2Fpage.py", "vendor", "", "vendor/../../page.py"]
)
def test_nothing_else_is_given(client: TestClient, name: str) -> None:
    answer = client.get(f"/static/{name}")
    assert (answer.status_code, "Pages" in answer.text) == (404, False)


def test_no_page_names_another_host() -> None:
    source = Path(FOLDER.parent.parent)
    for path in [*source.glob("*/templates/*.html"), FOLDER / "style.css"]:
        text = path.read_text(encoding="utf-8")
        assert "http://" not in text.replace("http://www.w3.org/", "") and "https://" not in text, path
