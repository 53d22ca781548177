"""What an exported program has from outside of its text: files, and what time or chance gave."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from ..errors import DeclarationError
from .program import Wanted, declarations
from .statements import DEFINITIONS, Statement, read_statements, run_at_once

__all__ = ["data_files", "unsettled"]

# Called without a seed they give something else in each process.
_CHANCE = ("random.", "secrets.", "numpy.random.", "uuid.uuid1", "uuid.uuid4", "os.urandom")
_SEEDED = {"Random", "default_rng", "RandomState", "seed", "Generator", "SeedSequence"}
_CLOCK = {
    "time.time", "time.time_ns", "time.localtime", "time.gmtime", "time.ctime",
    "datetime.datetime.now", "datetime.datetime.utcnow", "datetime.datetime.today",
    "datetime.date.today",
}  # fmt: skip
_MOST_BYTES = 10_000_000


def unsettled(code: str, wanted: Iterable[Wanted]) -> dict[str, str]:
    r"""By typename, why what a function does depends on when and where it was imported.

    Examples
    --------
    >>> code = "import random\nRATE = random.random()\n@sf.function('a/b')\ndef f(c, m): RATE"
    >>> unsettled(code, [Wanted("a/b", "f")])
    {'a/b': 'uses RATE, which is made by chance (random.random) when it is imported'}
    """
    statements = read_statements([code])
    imported = _imported(statements)
    reasons = {}
    for each in wanted:
        for statement in _needed(statements, declarations(statements, each)):
            asked = _asked(statement, statements, imported)
            if asked is not None:
                reasons[each.typename] = f"uses {statement.called}, which {asked}"
                break
    return reasons


def _needed(statements: Sequence[Statement], first: Iterable[Statement]) -> Iterator[Statement]:
    """These statements, what binds the names that they need, and so on."""
    open_, seen = list(first), set[int]()
    while open_:
        statement = open_.pop()
        if statement.place in seen:
            continue
        seen.add(statement.place)
        yield statement
        names = statement.now | statement.later
        open_ += [each for each in statements if each.binds & names]


def _imported(statements: Iterable[Statement]) -> dict[str, str]:
    """What names stand for, by the imports that bind them: ``{"np": "numpy"}``."""
    found = {}
    for statement in statements:
        node = statement.node
        if isinstance(node, ast.Import):
            for alias in node.names:
                name = alias.asname or alias.name.partition(".")[0]
                found[name] = alias.name if alias.asname else name
        elif isinstance(node, ast.ImportFrom):
            found |= {each.asname or each.name: f"{node.module}.{each.name}" for each in node.names}
    return found


def _asked(
    statement: Statement,
    statements: Sequence[Statement],
    imported: Mapping[str, str],
) -> str | None:
    """What a statement asks of time or chance when it is run, in words; by what it calls, too."""
    open_: list[ast.AST] = [*run_at_once(statement.node)]
    seen: set[str] = set()
    while open_:
        node = open_.pop()
        if not isinstance(node, ast.Call):
            continue
        dotted = _dotted(node.func)
        first, _, rest = dotted.partition(".")
        name = f"{imported.get(first, first)}.{rest}".rstrip(".")
        seeded = bool(node.args or node.keywords) and name.rpartition(".")[2] in _SEEDED
        if first in imported and name.startswith(_CHANCE) and not seeded:
            return f"is made by chance ({name}) when it is imported"
        if first in imported and name in _CLOCK:
            return f"reads the clock ({name}) when it is imported"
        if first not in seen:  # a function of the cells
            seen.add(first)
            for each in statements:
                if first in each.binds and isinstance(each.node, DEFINITIONS):
                    open_ += ast.walk(each.node)
    return None


def _dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def data_files(code: str, here: Path, taken: Collection[str] = ()) -> dict[str, Path]:
    """The files in a folder that a program names where it calls something, as ``open`` is.

    ``taken`` are the project's own.

    Raises
    ------
    DeclarationError
        When one cannot be taken along: it is large, not below the folder, or its name is taken.
    """
    found: dict[str, Path] = {}
    for node in ast.walk(ast.parse(code)):
        if not isinstance(node, ast.Call):
            continue
        for argument in (*node.args, *(each.value for each in node.keywords)):
            text = argument.value if isinstance(argument, ast.Constant) else None
            if not isinstance(text, str) or not 0 < len(text) < 256 or not text.isprintable():
                continue
            path = here / text
            if Path(text).is_absolute() or not path.is_file():
                continue
            if Path(text).as_posix() in taken:
                raise DeclarationError(
                    f"{ast.unparse(node)} reads {text!r}, and the project has a file of that name: "
                    "rename it"
                )
            inside = path.resolve().is_relative_to(here.resolve()) and ".." not in path.parts
            if not inside or path.stat().st_size > _MOST_BYTES:
                why = (
                    "is too large to be copied" if inside else "is not below the notebook's folder"
                )
                raise DeclarationError(
                    f"{ast.unparse(node)} reads {text!r}, which {why}: name it by its whole path"
                )
            found[Path(text).as_posix()] = path
    return found
