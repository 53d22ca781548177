"""The pytest plugin: notebooks that use statefun_nb pass ``pytest --nbval`` as they are.

pytest loads it by its entry point and acts on nothing but notebooks, collected by nbval, of which a
code cell loads the extension or imports the package. It replaces what differs from run to run, in
the stored outputs and in the new ones alike; has the kernel keep its cells, and draw no progress
bars; and takes what such bars have left in a stored notebook for nothing.

It is no part of the package: pytest would import that with its plugins, before the measurement of
its coverage begins, and every start of pytest would take a tenth of a second longer.
"""

from __future__ import annotations

import json
import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

__all__ = ["SANITIZERS", "uses_the_kit", "without_bars"]

_NO_PROGRESS = "STATEFUN_NB_PROGRESS"
_USES = re.compile(
    r"^\s*(?:%(?:re)?load_ext\s+|import\s+|from\s+)statefun_nb\b", re.ASCII | re.MULTILINE
)
# Columns of Invocations.to_dataframe() that are of the wall clock.
_WALL = ("time", "duration_ms")


def _without_wall_clock(table: re.Match[str]) -> str:
    """A DataFrame of invocations as HTML, with nothing in the columns of the wall clock."""
    html = table[0]
    names = re.findall(r"<th>([^<]*)</th>", html.partition("</tr>")[0])
    if "duration_ms" not in names:
        return html
    # The first header is that of the index, in a <th> of its row, too.
    places = {names.index(name) - 1 for name in _WALL if name in names}

    def emptied(row: re.Match[str]) -> str:
        cells = iter(range(len(names)))
        return re.sub(
            r"<td>.*?</td>",
            lambda cell: "<td></td>" if next(cells) in places else cell[0],
            row[0],
            flags=re.DOTALL,
        )

    return re.sub(r"<tr>.*?</tr>", emptied, html, flags=re.DOTALL)


def _without_frames(text: re.Match[str]) -> str:
    """A text without the DataFrames and Series in it that have a column ``duration_ms``."""
    lines, kept, place = text[0].split("\n"), list[str](), 0
    while place < len(lines):
        line = lines[place]
        end = _end_of_frame(lines, place)
        if re.match(r"duration_ms\s", line):  # the name of a row
            kept.append("duration_ms")
        elif end:
            kept.append("a DataFrame of invocations")
        elif re.match(r"(?:Length: .*)?Name: duration_ms\b", line):  # stands below its Series
            while len(kept) > 1 and len(kept[-1]) == len(kept[-2]):
                kept.pop()
            kept[-1:] = ["a Series of invocations"]
        else:
            kept.append(line)
        place = end or place + 1
    return "\n".join(kept)


def _end_of_frame(lines: list[str], begin: int) -> int:
    r"""Where a DataFrame ends that begins in this line with the names of its columns; 0 for none.

    pandas prints lines of one length, and a wide frame in blocks, each but the last with ``\`` at
    the end of the names.
    """
    found = False
    while True:
        names, end = lines[begin], begin + 1
        while end < len(lines) and len(lines[end]) == len(names) > 0:
            end += 1
        if end == begin + 1:
            return 0
        found = found or re.search(r"\sduration_ms(?:\s|$)", names) is not None
        if not names.rstrip().endswith("\\") or lines[end : end + 1] != [""]:
            return end if found else 0
        begin = end + 1
        if begin == len(lines):
            return 0


# In this order, each regex and its replacement, as re.sub takes them.
SANITIZERS: dict[str, str | Callable[[re.Match[str]], str]] = {
    # The picture beside a live view is stored as it was at the end, and drawn anew as it is when
    # its cell runs: what is compared is which view of which engine it is.
    r'(?s)\A<div class="statefun-nb-snapshot.*': "PICTURE",
    r"(StateFun, \w+ engine), (?:running|paused|stopped|ended|broken)(?: · [^\n]*)?": r"\1",
    # Cells of a kernel are files with its process id in their name, and are numbered as they came.
    r"""["']?[^\s"'<>()]*ipykernel_\d+[^\s"'<>()]*\.py["']?""": "CELL",
    r"Cell In ?\[\d+\]": "Cell In[N]",
    # Ports, and tokens in addresses.
    r"(?<![\w.])(127\.0\.0\.1|localhost|\[::1\]):\d+": r"\1:PORT",
    r"(:PORT)/[\w-]{22,}": r"\1/TOKEN",
    # What tempfile made up, on this machine or on that of who has stored the notebook.
    rf"(?:{re.escape(tempfile.gettempdir())}|/tmp|/var/folders/\S+?/T)[\\/]tmp\w{{8}}\b": "TEMP",
    # What the wall clock says: a DataFrame of invocations, while its columns still are as wide as
    # they were printed,
    r"(?s)\A.*\bduration_ms\b.*\Z": _without_frames,
    # an invocation, a DataFrame of them in HTML, what runs, IPython's %time.
    r"\btime=datetime\.datetime\(.*?\bduration=[\d.e-]+": "time and duration",
    r"\b\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d\.\d{6}(?:[+-]\d\d:\d\d|Z)?": "TIME",
    r"\b\d+\.\d+ (?:s|ms)\b": "DURATION",
    r"(?m)^(CPU times|Wall time): .*": r"\1",
    r'(?s)<table border="1" class="dataframe">.*?</table>': _without_wall_clock,
    # Processes and objects.
    r"\b(pid|PID|process)([ =:]+)\d+": r"\1\2ID",
    r"\b0x[0-9a-fA-F]{6,}\b": "0xADDRESS",
}


def uses_the_kit(path: Path) -> bool:
    """Does a code cell of this notebook load the extension, or import the package?"""
    try:
        cells = json.loads(path.read_text(encoding="utf-8")).get("cells", ())
        return any(
            cell["cell_type"] == "code" and _USES.search("".join(cell["source"])) is not None
            for cell in cells
        )
    except (OSError, ValueError, AttributeError, KeyError, TypeError):
        return False  # no notebook, which nbval says better


def without_bars(text: str) -> str:
    r"""What is left to see of what was written, where lines were drawn over others.

    Examples
    --------
    >>> without_bars("\r10 messages\r99 messages\r           \r")
    ''
    >>> without_bars("careful\n\r10 messages\r           \rdone\n")
    'careful\ndone\n'
    """
    lines = []
    for line in text.split("\n"):
        seen = ""
        for part in line.split("\r"):
            seen = part + seen[len(part) :]
        lines.append(seen.rstrip(" ") if "\r" in line else line)
    return "\n".join(lines)


def _notebook_of(item: Any) -> Any:
    """The collector of a cell of a notebook that uses the kit; None for everything else."""
    parent = item.parent
    return parent if getattr(parent, "of_statefun_nb", False) else None


def pytest_collectstart(collector: pytest.Collector) -> None:
    """Extend the sanitizers of a notebook; those of ``--nbval-sanitize-with`` come after them."""
    nbval = sys.modules.get("nbval.plugin")  # looked up: without nbval there is nothing to do
    if nbval is not None and isinstance(collector, nbval.IPyNbFile):
        collector.of_statefun_nb = uses_the_kit(collector.path)
        if collector.of_statefun_nb:
            collector.sanitize_patterns.update(SANITIZERS)


def pytest_itemcollected(item: pytest.Item) -> None:
    """Forget what progress bars have left in the stored outputs."""
    if _notebook_of(item) is None:
        return
    cell: Any = item.cell  # type: ignore[attr-defined]  # of nbval's items
    errors = [each for each in cell.outputs if each.get("name") == "stderr"]
    if any("\r" in each.text for each in errors):
        left = without_bars("".join(each.text for each in errors))
        others = [each for each in cell.outputs if each.get("name") != "stderr"]
        if left:
            errors[0].text = left
            others.insert(0, errors[0])
        cell.outputs = others


@pytest.hookimpl(hookwrapper=True)  # the older way, which every pytest knows
def pytest_runtest_setup(item: pytest.Item) -> Iterator[None]:
    """Start the kernel of a notebook, which is done for its first cell, as the kit wants it."""
    notebook = _notebook_of(item)
    if notebook is None or notebook.kernel is not None:
        yield
        return
    before = os.environ.get(_NO_PROGRESS)
    os.environ[_NO_PROGRESS] = "0"
    yield
    if before is None:
        del os.environ[_NO_PROGRESS]
    else:
        os.environ[_NO_PROGRESS] = before
    _keep_history(notebook)


def _keep_history(notebook: Any) -> None:
    """Have a kernel number its cells and keep them, as it does for a person: export reads them."""
    if notebook.kernel is None:  # it could not be started
        return
    client = notebook.kernel.kc
    execute = client.execute

    def execute_and_store(code: str, **options: Any) -> str:
        return str(execute(code, **{**options, "store_history": True}))

    client.execute = execute_and_store
