"""A real JupyterLab, and a notebook in it as a person has it before them."""

from __future__ import annotations

import json
import os
import re
import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import nbformat
from playwright.sync_api import Locator, Page, expect

from tests.waiting import eventually

__all__ = ["Notebook", "jupyter_server"]

_SETTINGS = {
    "@jupyterlab/apputils-extension/notification": {
        "fetchNews": "false",
        "checkForUpdates": False,
        "doNotDisturbMode": True,
    },
    # All cells are drawn, wherever the page is scrolled to.
    "@jupyterlab/notebook-extension/tracker": {"windowingMode": "none"},
    "@jupyterlab/docmanager-extension/plugin": {"autosave": False},
}


@contextmanager
def jupyter_server(folder: Path) -> Iterator[str]:
    """Jupyter on loopback over ``folder``; gives its address, ends it."""
    home = folder / ".jupyter"
    for name, settings in _SETTINGS.items():
        path = home / "settings" / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(settings))
    environment = {
        **os.environ,
        "JUPYTERLAB_SETTINGS_DIR": str(home / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(home / "workspaces"),
        "JUPYTER_CONFIG_DIR": str(home / "config"),
        "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
        "IPYTHONDIR": str(home / "ipython"),
    }
    log = home / "log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", "--allow-root", "--no-browser", "--port=0",
             "--ip=127.0.0.1", "--IdentityProvider.token=", "--ServerApp.password=",
             f"--ServerApp.root_dir={folder}", "--ServerApp.disable_check_xsrf=True",
             "--expose-app-in-browser"],
            stderr=output, env=environment,
        )  # fmt: skip
    try:
        address = re.compile(r"(http://127\.0\.0\.1:\d+)/lab")
        found = eventually(lambda: address.search(log.read_text()), seconds=60, tell=log.read_text)
        yield found[1]
    finally:
        process.terminate()
        process.wait(60)


class Notebook:
    """One notebook, open on a page."""

    def __init__(self, page: Page, address: str, folder: Path) -> None:
        self.page = page
        self.address = address
        self.folder = folder
        self.errors: list[str] = []
        self.name = ""
        page.on("pageerror", lambda error: self.errors.append(str(error)))

    def open(self, *cells: str) -> Notebook:
        """Write a notebook of these cells, and open it alone on the page."""
        name = f"{secrets.token_hex(4)}.ipynb"  # a kernel belongs to a file's name
        notebook = nbformat.v4.new_notebook(
            cells=[nbformat.v4.new_code_cell(cell) for cell in cells],
            metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}},
        )
        nbformat.write(notebook, self.folder / name)
        return self.open_file(name)

    def open_file(self, name: str) -> Notebook:
        """Open a notebook of the folder."""
        self.name = name
        self.page.goto(f"{self.address}/doc/tree/{name}")
        return self.wait_ready()

    def wait_ready(self) -> Notebook:
        """A kernel is there and idle; where the page asks which, the first will do."""
        self.page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=30_000)
        select = self.page.locator(".jp-Dialog button.jp-mod-accept")
        ready = self.page.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]")
        select.or_(ready).first.wait_for(timeout=30_000)
        if select.count():
            select.click()
        # Before the kernel has told who it is, cells are not run and nobody says so.
        self.page.evaluate(
            """async () => {
                const context = window.jupyterapp.shell.currentWidget.sessionContext;
                await context.ready;
                await context.session.kernel.info;
            }"""
        )
        return self

    def command(self, name: str, **arguments: object) -> None:
        """Run a command of JupyterLab's, without waiting for its end."""
        self.page.evaluate(
            """([name, args]) => {
                window.lastCommand = window.jupyterapp.commands.execute(name, args);
            }""",
            [name, arguments],
        )

    def command_done(self) -> None:
        """Wait for the end of the last command."""
        self.page.evaluate("async () => { await window.lastCommand; }")

    def run_all(self) -> Notebook:
        """Run all cells and wait until they are done."""
        self.command("notebook:run-all-cells")
        self.page.wait_for_function(
            """() => {
                const prompts = [...document.querySelectorAll('.jp-CodeCell .jp-InputPrompt')];
                return prompts.length && prompts.every(each => /\\d/.test(each.textContent));
            }""",
            timeout=60_000,
        )
        return self

    def run(self, code: str) -> None:
        """Put code into a new last cell and run it, without waiting for its end."""
        self.page.evaluate(
            """([code]) => {
                const panel = window.jupyterapp.shell.currentWidget;
                const cells = panel.content.model.sharedModel;
                cells.addCell({ cell_type: 'code', source: code });
                panel.content.deselectAll();
                panel.content.activeCellIndex = cells.cells.length - 1;
                void window.jupyterapp.commands.execute('notebook:run-cell');
            }""",
            [code],
        )

    def result(self, code: str) -> str:
        """The text that code prints, run in a new last cell."""
        self.run(code)
        last = self.page.locator(".jp-CodeCell").last
        expect(last.locator(".jp-InputPrompt")).to_have_text(re.compile(r"\d"))
        return last.locator(".jp-OutputArea-output").inner_text().strip()

    def view(self, number: int = 0) -> Locator:
        """The live view of that number, scrolled to where it is seen."""
        found = self.page.locator(".sf-root").nth(number)
        found.wait_for(state="attached", timeout=30_000)
        found.scroll_into_view_if_needed()
        return found

    def pane(self, name: str) -> Locator:
        """Bring a pane of the dashboard to the front."""
        view = self.view()
        view.get_by_role("tab", name=name, exact=True).click()
        return view.get_by_role("tabpanel")

    def shut_down(self) -> None:
        """End the kernels: the next test's notebook must not find them."""
        self.page.goto("about:blank")
        for session in self.page.request.get(f"{self.address}/api/sessions").json():
            self.page.request.delete(f"{self.address}/api/sessions/{session['id']}")
