"""A browser and a JupyterLab for all tests here; a page of its own for each."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from tests.requirements import CHROMIUM, find_chromium, need_browser

# The lowest libraries are tried without a browser.
collect_ignore_glob = [] if importlib.util.find_spec("playwright") else ["*.py"]

ROOT = Path(__file__).parents[2]
IMAGES = ROOT / "docs" / "images"

# What a page is waited for at most.
_MILLISECONDS = 30_000


@pytest.fixture(scope="package")
def browser():
    need_browser()
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=_MILLISECONDS)
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=find_chromium(), args=CHROMIUM)
        yield found
        found.close()


@pytest.fixture(scope="package")
def server(browser, tmp_path_factory):
    from .lab import jupyter_server

    folder = tmp_path_factory.mktemp("lab")
    with jupyter_server(folder) as address:
        yield address, folder


@pytest.fixture
def page(browser):
    context = browser.new_context(viewport={"width": 1280, "height": 1000})
    found = context.new_page()
    found.set_default_timeout(_MILLISECONDS)
    yield found
    context.close()


@pytest.fixture
def notebook(page, server):
    from .lab import Notebook

    found = Notebook(page, *server)
    yield found
    found.shut_down()
    assert found.errors == [], "the page has thrown errors"


@pytest.fixture
def picture():
    """Keep a picture for README and docs: ``picture(locator, "name")``."""

    def keep(shown, name):
        IMAGES.mkdir(exist_ok=True)
        shown.screenshot(path=IMAGES / f"{name}.png")

    return keep
