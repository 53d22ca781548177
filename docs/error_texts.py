"""Every text of an error or a warning that the package raises, read from its code.

``python docs/error_texts.py`` prints those that docs/errors.md lacks, as rows for its tables.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "statefun_nb"
PAGE = ROOT / "docs" / "errors.md"

# Beside the calls of what ends so: `ConversionError(...)`, `warnings.warn(...)`.
_RAISED = re.compile(r"Error$|Warning$|^(CheckFailed|Failed|IdleTimeout|_Refused|warn)$")
# What an error says in more than one place is made by these.
_TEXTS = re.compile(
    r"^(token_is_pending|never_declared|not_in_module|too_large_request|all_are_held|type_is_kept|expiration_is_kept|_instead|_too_large|_not_kept|gone|lost_log|_left_over|used_here|not_opened|_never_awaited|_not_assigned|_elsewhere|_returned|ignored|why_unknown)$"
)
_OTHER_PROGRAMS = {"supervisor.py"}  # of the cluster's processes; nobody sees what it raises


def texts() -> dict[str, str]:
    """Each text, with ``…`` for what is filled in, and the room that raises it."""
    found: dict[str, str] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        if path.name not in _OTHER_PROGRAMS and "_generated" not in path.parts:
            place = str(path.relative_to(PACKAGE))
            for text in _texts_of(ast.parse(path.read_text(encoding="utf-8"))):
                if re.search(r"[a-z]{2}", text):  # and not only what other errors said
                    found.setdefault(text, place)
    return found


def _texts_of(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and _TEXTS.search(node.name):
            for inner in ast.walk(node):
                if isinstance(inner, ast.Return) and inner.value is not None:
                    yield _flat(inner.value)
        elif isinstance(node, ast.Call) and node.args:
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            is_class = isinstance(node.func, ast.Call)  # type(error)(...)
            if is_class or _RAISED.search(name):
                texts = [_flat(argument) for argument in node.args]
                yield next((text for text in texts if re.search(r"[a-z]{2}", text)), "")


def _flat(node: ast.expr) -> str:
    return re.sub(r"…+", "…", re.sub(r"\s+", " ", _text(node))).strip()


def _text(node: ast.expr) -> str:
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else "…"
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(value) for value in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return _text(node.left) + _text(node.right)
    return "…"


def rows() -> list[tuple[str, list[str]]]:
    """The texts on the page, each with the other cells of its row."""
    found: list[tuple[str, list[str]]] = []
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if line.startswith("| `"):
            cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip("| "))]
            texts_of_row = re.findall(r"`` (.+?) ``|`([^`]+)`", cells[0])
            found += [("".join(text).replace("\\|", "|"), cells[1:]) for text in texts_of_row]
    return found


if __name__ == "__main__":
    known = dict(rows()) if PAGE.exists() else {}
    for text, place in texts().items():
        if text not in known:
            quoted = f"`` {text} ``" if "`" in text else f"`{text}`"
            print(f"| {quoted} | {place} | |")
