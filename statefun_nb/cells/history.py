"""The cells of the running notebook, and what a magic in one of them stands for."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable
from typing import Any, TypeVar

from ..errors import SessionError
from .arguments import UsageError, cell_parser, parse
from .body import function_text

T = TypeVar("T")

# Magics that run their cell as it stands, and tell something of it.
_TRANSPARENT = frozenset({"capture", "prun", "time"})

__all__ = ["executed_cells", "name_of", "named", "plain_code", "running_shell"]


def executed_cells() -> list[str] | None:
    """The code of the cells that this kernel has run, in order; None when this is no notebook."""
    shell = running_shell()
    if shell is None:
        return None
    return [plain_code(str(cell)) for cell in shell.history_manager.input_hist_parsed[1:]]


def name_of(found: object) -> str:
    """The name of an object in the notebook.

    Raises
    ------
    SessionError
        When it has none.
    """
    names = running_shell().user_ns
    name = next((n for n, each in names.items() if each is found and not n.startswith("_")), None)
    if name is None:
        raise SessionError(
            "the functions of this session have no name in the notebook: give them one"
        )
    return str(name)


def named(what: Callable[[object], T | None]) -> dict[str, T]:
    """What this says of each object that has a name in the notebook, where it says anything.

    Examples
    --------
    >>> named(id)  # outside of a notebook nothing has
    {}
    """
    shell = running_shell()
    if shell is None:
        return {}
    found = {name: what(each) for name, each in tuple(shell.user_ns.items())}
    return {name: said for name, said in found.items() if said is not None}


def running_shell() -> Any:
    """IPython's shell, in a notebook and in a terminal; None where there is none."""
    ipython = sys.modules.get("IPython")  # looked up, not imported: most programs need none
    return None if ipython is None else ipython.get_ipython()


def plain_code(cell: str) -> str:
    """What a cell runs without its magic: ``%%statefun_function`` a function, ``%%time`` its body.

    Parameters
    ----------
    cell : str
        Its code with the magics translated, as IPython does before it runs a cell.
    """
    if "run_cell_magic" not in cell:
        return cell
    try:
        (statement,) = ast.parse(cell).body
    except (SyntaxError, ValueError):
        return cell
    match statement:
        case ast.Expr(
            value=ast.Call(
                func=ast.Attribute(attr="run_cell_magic"),
                args=[
                    ast.Constant(value=str(name)),
                    ast.Constant(value=str(line)),
                    ast.Constant(value=str(body)),
                ],
            )
        ):
            if name in _TRANSPARENT:
                return body
            if name == "statefun_function":
                return _declaration(line, body) or cell
    return cell


def _declaration(line: str, body: str) -> str | None:
    if {"-h", "--help"} & set(line.split()):
        return None
    try:
        arguments = parse(cell_parser(), line)
        text = function_text(arguments.typename, arguments.state, body)
    except (UsageError, SyntaxError, ValueError):
        return None  # it has declared nothing
    return f"import statefun_nb as sf\n{text}"
