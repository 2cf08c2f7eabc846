"""A real browser without a window: what it makes of a page."""

import json
import os
import re
import shutil
import subprocess
from html import unescape
from pathlib import Path

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
SECONDS = 90
# A frame of the wanted width: a window cannot be narrower than 500 pixels.
FRAMES = """<!DOCTYPE html><meta charset="utf-8"><meta name="color-scheme" content="light dark">
<style>html, body { margin: 0; overflow: hidden } iframe { border: 0; display: block; float: left }
</style>"""
MEASURE = """<pre></pre><script>
addEventListener("load", () => {
  const found = [...document.querySelectorAll("iframe")].map(frame => {
    const page = frame.contentDocument, view = frame.contentWindow;
    page.querySelectorAll("details").forEach(one => one.open = true);
    const root = page.documentElement;
    return {
      width: view.innerWidth,
      scrollWidth: root.scrollWidth,
      wide: [...page.querySelectorAll("body *")].filter(one =>
        !one.closest(".scroll, svg") && one.getBoundingClientRect().right > view.innerWidth + 1
      ).map(one => one.tagName),
      images: [...page.images].length,
      broken: [...page.images].filter(one => !one.complete || !one.naturalWidth).length,
      loaded: view.performance.getEntriesByType("resource").map(one => one.name)
        .filter(name => !name.startsWith("data:")),
      charts: [...page.querySelectorAll("svg")].map(one => one.getBoundingClientRect().width),
      ink: view.getComputedStyle(page.body).color,
      chartInk: [...page.querySelectorAll("svg text")].map(one =>
        view.getComputedStyle(one).fill)[0],
      hacked: view.hacked === true,
      elements: page.querySelectorAll("*").length,
    };
  });
  document.querySelector("pre").textContent = "MEASURED" + JSON.stringify(found) + "DONE";
});
</script>"""


def find_browser() -> str:
    """The browser's program; skips the test where there is none, but not on a CI machine."""
    for name in NAMES:
        if found := shutil.which(name):
            return found
    assert not os.environ.get("CI"), "the report must be opened in a browser: install Chromium"
    pytest.skip("there is no Chromium: apt-get install chromium")


def measure(page: Path, widths: tuple[int, ...], dark: bool = False) -> list[dict]:
    """What is seen of a page with everything unfolded, at each width."""
    wrapper = _wrapper(page, widths, 2000, MEASURE)
    printed = _run(wrapper, dark, "--dump-dom", "--window-size=2400,2000")
    found = re.search("MEASURED(.*)DONE</pre>", printed, flags=re.DOTALL)
    assert found, printed[-2000:]
    return json.loads(unescape(found[1]))


def screenshot(page: Path, widths: tuple[int, ...], height: int, dark: bool, file: Path) -> None:
    """Write a PNG of a page at several widths, side by side."""
    wrapper = _wrapper(page, widths, height, "")
    _run(wrapper, dark, f"--screenshot={file}", f"--window-size={sum(widths)},{height}")
    assert file.is_file()


def _wrapper(page: Path, widths: tuple[int, ...], height: int, script: str) -> Path:
    frames = "".join(
        f'<iframe src="{page.as_uri()}" width="{width}" height="{height}"></iframe>'
        for width in widths
    )
    file = page.with_name(f"frames-of-{page.stem}.html")
    file.write_text(FRAMES + frames + script, encoding="utf-8")
    return file


def _run(page: Path, dark: bool, *arguments: str) -> str:
    command = [
        find_browser(),
        "--headless=new",
        "--no-sandbox",  # it refuses to run as root otherwise
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--disable-background-networking",
        "--no-first-run",
        "--hide-scrollbars",
        "--allow-file-access-from-files",  # the script looks into the frames
        f"--user-data-dir={page.parent / 'profile'}",
        f"--blink-settings=preferredColorScheme={0 if dark else 1}",
        "--virtual-time-budget=3000",
        *arguments,
        page.as_uri(),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=True)
    return done.stdout
