"""Prints the cheat sheet on one page: ``python docs/sheet.py FOLDER`` writes HTML and PDF there.

The HTML is the page ``cheatsheet.md`` in columns. Chromium prints it; where there is none, there is
no PDF.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

from markdown_it import MarkdownIt
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

PAGE = Path(__file__).parent / "cheatsheet.md"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
STYLE = """
@page { size: A4 landscape; margin: 7mm }
body { font: 9px/1.45 system-ui, sans-serif; columns: 3; column-gap: 5mm; margin: 0; color: #111 }
h1 { font-size: 16px; margin: 0 }
h2 { font-size: 11px; margin: 6px 0 2px; border-bottom: 1px solid #2a6fb0; color: #1c5488 }
p { margin: 2px 0 }
pre { margin: 0 0 2px; white-space: pre-wrap; overflow-wrap: anywhere }
pre, code { font: 8.6px/1.5 ui-monospace, "DejaVu Sans Mono", monospace }
h2, p { break-after: avoid }
"""


def sheet(text: str) -> str:
    """The page as HTML that fits on one sheet of paper."""
    formatter = HtmlFormatter(nowrap=True)

    def coloured(code: str, _language: str, _attributes: str) -> str:
        lines = re.sub(r"\n{3,}", "\n\n", code)  # one empty line is enough on paper
        return f"<pre>{highlight(lines, PythonLexer(), formatter)}</pre>"

    body = MarkdownIt("commonmark", {"highlight": coloured}).render(text)
    style = STYLE + formatter.get_style_defs("pre")
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>statefun_nb</title>'
        f"<style>{style}</style></head><body>{body}</body></html>"
    )


def main() -> None:
    """Write ``cheatsheet-print.html`` and, where Chromium is, ``cheatsheet.pdf``."""
    folder = Path(sys.argv[1]).absolute()
    html, pdf = folder / "cheatsheet-print.html", folder / "cheatsheet.pdf"
    html.write_text(sheet(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    print(html)
    browser = next((path for path in map(shutil.which, BROWSERS) if path), None)
    if browser is None:
        print("no Chromium or Chrome: no PDF")
        return
    subprocess.run(
        [browser, "--headless", "--no-sandbox", "--disable-gpu", "--no-pdf-header-footer",
         f"--print-to-pdf={pdf}", html.as_uri()],
        check=True, capture_output=True, timeout=120,
    )  # fmt: skip
    print(pdf)


if __name__ == "__main__":
    main()
