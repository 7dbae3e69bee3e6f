"""A browser with pages of an example."""

import pytest
from playwright.sync_api import sync_playwright

from tests.conftest import require_program
from tests.reporting.pages import (
    VIEWS,
    move,
    save,
    slider,
)


@pytest.fixture(scope="module")
def browser():
    program = require_program("chromium")
    with sync_playwright() as playwright:
        # Its sandbox needs rights that a container does not give.
        arguments = ["--no-sandbox", "--disable-gpu"]
        browser = playwright.chromium.launch(executable_path=program, args=arguments)
        yield browser
        browser.close()


def open_tab(browser):
    """A tab, and what its pages ask for and complain of."""
    page, seen = browser.new_page(viewport={"width": 1200, "height": 900}), []
    page.on("console", lambda message: seen.append(message.text))
    page.on("pageerror", lambda error: seen.append(str(error)))
    page.on("request", lambda request: seen.append(request.url))
    return page, seen


def open_file(page, path):
    page.goto(path.as_uri())
    page.wait_for_selector("#position:not(:empty)")
    page.uncheck("#show-cross")


@pytest.fixture(scope="module")
def tab(browser):
    """One for all files but the first."""
    return open_tab(browser)


@pytest.fixture
def load(tab):
    """Opens a file; it must ask for nothing but itself and complain of nothing."""
    page, seen = tab
    asked = []

    def open_page(path):
        open_file(page, path)
        asked.append(path.as_uri())
        return page

    seen.clear()
    yield open_page
    assert seen == asked


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return save(tmp_path_factory.mktemp("page") / "report.html")


@pytest.fixture(scope="module")
def opened(browser, file):
    """The first file, opened once; it must ask for nothing but itself and complain of nothing."""
    page, seen = open_tab(browser)
    open_file(page, file)
    assert seen == [file.as_uri()]
    start = [slider(page, view) for view in VIEWS]
    return page, seen, start


@pytest.fixture
def page(opened):
    """The first file, as it is when opened; it must ask for nothing and complain of nothing."""
    page, seen, start = opened
    page.bring_to_front()
    seen.clear()
    page.evaluate(
        """() => {
          const set = (id, property, value) => {
            const control = document.getElementById(id);
            control[property] = value;
            control.dispatchEvent(new Event("change"));
          };
          set("show-liver", "checked", true);
          set("show-tumor", "checked", true);
          set("show-cross", "checked", false);
          set("window", "selectedIndex", 0);
          scrollTo(0, 0);
        }"""
    )
    for view, value in zip(VIEWS, start, strict=True):
        move(page, view, value)
    yield page
    assert seen == []
