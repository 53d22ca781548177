"""Take the pictures of docs/images: the notebooks in a real JupyterLab, in a headless browser.

python docs/make_images.py [--chromium /usr/bin/chromium]
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import nbformat
from playwright.sync_api import Page, sync_playwright

HERE = Path(__file__).resolve().parent
CHROMIUM = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-sync",
]


@contextmanager
def jupyter_lab(folder: Path) -> Iterator[str]:
    """JupyterLab on loopback over ``folder``; gives its address, ends it."""
    log = folder / "jupyter.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", "--allow-root", "--no-browser", "--port=0",
             "--ip=127.0.0.1", "--IdentityProvider.token=", "--ServerApp.password=",
             f"--ServerApp.root_dir={folder}", "--LabApp.news_url=", "--expose-app-in-browser"],
            stderr=output,
        )  # fmt: skip
    try:
        for _ in range(300):
            found = re.search(r"(http://127\.0\.0\.1:\d+)/lab", log.read_text())
            if found:
                break
            time.sleep(0.1)
        else:
            raise SystemExit(f"JupyterLab did not start: {log.read_text()}")
        yield found[1]
    finally:
        process.terminate()
        process.wait(20)


def strip_outputs(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """The same without what earlier runs have shown: an empty prompt has not run."""
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    return notebook


def run_notebook(page: Page, address: str, name: str) -> None:
    """Open a notebook alone on the page, run all its cells, wait until they are done."""
    page.goto(f"{address}/doc/tree/{name}")
    page.wait_for_selector(".jp-Notebook .jp-Cell")
    select = page.locator(".jp-Dialog button.jp-mod-accept")
    ready = page.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]")
    select.or_(ready).first.wait_for()
    if select.count():
        select.click()
    ready.wait_for()
    page.evaluate("void window.jupyterapp.commands.execute('notebook:run-all-cells')")
    page.wait_for_function(
        """() => {
            const prompts = [...document.querySelectorAll('.jp-CodeCell .jp-InputPrompt')];
            return prompts.length && prompts.every(each => /\\d/.test(each.textContent));
        }""",
        timeout=20_000,
    )


def main() -> None:
    """Write docs/images/quickstart.png."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--chromium", default=shutil.which("chromium") or "/usr/bin/chromium")
    arguments = parser.parse_args()
    images = HERE / "images"
    images.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        notebook = nbformat.read(HERE.parent / "notebooks" / "01_quickstart.ipynb", 4)
        nbformat.write(strip_outputs(notebook), Path(folder) / "01_quickstart.ipynb")
        with jupyter_lab(Path(folder)) as address, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=arguments.chromium, args=CHROMIUM)
            page = browser.new_page(viewport={"width": 1000, "height": 900})
            run_notebook(page, address, "01_quickstart.ipynb")
            page.locator(".jp-Notebook .jp-Cell").nth(12).scroll_into_view_if_needed()
            page.wait_for_timeout(1000)
            news = page.get_by_role("button", name="No", exact=True)
            if news.count():
                news.click()
                page.wait_for_timeout(1000)
            page.screenshot(path=images / "quickstart.png")
            browser.close()


if __name__ == "__main__":
    main()
