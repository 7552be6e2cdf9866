"""The documentation in a browser, where ``nox -s docs`` has built it."""

import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe

SITE = Path(__file__).parents[2] / "docs" / "_build" / "html"
# Of each kind of page: texts, wide tables, the gallery with its pictures, the reference.
PAGES = ("index", "getting_started", "results", "gallery/index", "gallery/plot_01_first_model",
         "api/generated/skemotion.video.HOG3D")  # fmt: skip


LOADED = re.compile(r"""<(?:script|img|iframe|source|link)\s[^>]*(?:src|href)="https?://[^"]*""")


@pytest.fixture(scope="module", autouse=True)
def built():
    if not (SITE / "index.html").is_file():
        pytest.skip("the documentation is not built: nox -s docs")


def test_no_page_loads_anything_from_elsewhere():
    found = {
        str(page.relative_to(SITE)): loaded
        for page in SITE.rglob("*.html")
        if (loaded := LOADED.findall(page.read_text(encoding="utf-8")))
    }
    assert found == {}


@pytest.fixture(scope="module")
def tabs(launch):
    browser = launch(["--no-sandbox", "--disable-background-networking"])
    return {
        width: browser.new_context(viewport={"width": width, "height": 900}).new_page()
        for width in (390, 1280)
    }


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_accessible_and_complete_without_a_network(tabs, page, width):
    tab, asked, errors = tabs[width], [], []
    listeners = {
        "request": lambda request: asked.append(request.url),
        "requestfailed": lambda request: errors.append(request.url),
        "pageerror": lambda error: errors.append(str(error)),
    }
    for event, listener in listeners.items():
        tab.on(event, listener)
    tab.goto((SITE / f"{page}.html").as_uri(), wait_until="load")
    for event, listener in listeners.items():
        tab.remove_listener(event, listener)
    assert [url for url in asked if urlsplit(url).scheme not in ("file", "data")] == []
    assert errors == []
    # Wide tables and code scroll on their own, and not with the page.
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    violations = Axe().run(tab).response["violations"]
    faults = [
        (fault["impact"], fault["id"], [node["target"] for node in fault["nodes"]][:3])
        for fault in violations
        if fault["impact"] in ("serious", "critical")
    ]
    assert faults == []
