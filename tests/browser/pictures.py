"""Pictures of the console for docs/console.md: `.venv/bin/python -m tests.browser.pictures`.

They show the desk that the browser tests look at (recorded_desk.py): incident, diagnosis, repair and RCA as a real
drill left them; states and figures of the engines are made up.
"""

import base64
import tempfile
from pathlib import Path

from tests.browser.chromium import DESKTOP, PHONE, Browser, chromium
from tests.browser.recorded_desk import REVIEWED, SCENARIO, recorded_desk

IMAGES = Path(__file__).parents[2] / "docs/images"
MOST_BYTES = 150_000
WIDE = (1440, 780)
# The picture's name: path, window, colours, language.
PAGES = {
    "recorded-stack": ("/", WIDE, "light", "en"),
    "recorded-incident": (f"/incidents/{REVIEWED}", DESKTOP, "light", "en"),
    "recorded-runbook": (f"/runbook/{SCENARIO}", DESKTOP, "light", "en"),
    "recorded-lake": ("/lake", WIDE, "light", "en"),
    "recorded-use-case": ("/usecases/fraud-detection", DESKTOP, "light", "en"),
    "recorded-phone": (f"/incidents/{REVIEWED}", PHONE, "dark", "vi"),
}


def picture(browser: Browser, size: tuple[int, int]) -> bytes:
    """The window's PNG, as large as it may be for its bytes."""
    clip = {"x": 0, "y": 0, "width": size[0], "height": size[1]}
    for tenths in range(10, 4, -1):
        asked = {"format": "png", "clip": clip | {"scale": tenths / 10}}
        png = base64.b64decode(browser.driver.execute_cdp_cmd("Page.captureScreenshot", asked)["data"])
        if len(png) <= MOST_BYTES:
            break
    return png


def main() -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        recorded_desk(Path(folder) / "desk") as desk,
        chromium(desk.base, Path(folder) / "profile") as browser,
    ):
        browser.driver.execute_cdp_cmd("Emulation.setScrollbarsHidden", {"hidden": True})
        browser.forget(**{desk.sessions.cookie: desk.sessions.start("an")})
        for name, (path, size, colours, language) in PAGES.items():
            browser.screen(size)
            browser.colours(colours)
            browser.open(f"{path}?lang={language}")
            png = picture(browser, size)
            (IMAGES / f"{name}.png").write_bytes(png)
            print(f"{name}: {len(png)} bytes", flush=True)


if __name__ == "__main__":
    main()
