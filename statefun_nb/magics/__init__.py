"""``%statefun`` and ``%%statefun_function``: thin calls of the public API."""

from __future__ import annotations

from typing import Any

from IPython.core.magic import no_var_expand

from ..cells.arguments import cell_parser
from .cell import statefun_function, statefun_module
from .complete import offer
from .line import statefun
from .parser import line_parser, module_parser, with_names

__all__ = ["register", "unregister"]

_CELLS = ("statefun_function", "statefun_module")


def register(ipython: Any) -> None:
    """Add the magics and their completion to a shell."""

    def cell_magic(line: str, cell: str = "") -> None:
        statefun_function(ipython, line, cell)

    def module_magic(line: str, cell: str = "") -> None:
        statefun_module(line, cell)

    module_magic.__doc__ = module_parser().format_help()
    cell_magic.__doc__ = cell_parser().format_help()  # what %%statefun_function? shows
    statefun.__doc__ = line_parser().format_help()

    # {"k": 1} is a value to send: IPython would format it, as a name of the notebook's.
    # Names of the notebook's in braces are put in here, as other line magics have them.
    @no_var_expand
    def line_magic(line: str) -> Any:
        return statefun(with_names(line, ipython.user_ns))

    line_magic.__doc__ = statefun.__doc__
    ipython.register_magic_function(line_magic, "line", "statefun")
    # Of lines, too, so that %%statefun_function --help works without a body.
    ipython.register_magic_function(cell_magic, "line_cell", "statefun_function")
    ipython.register_magic_function(module_magic, "line_cell", "statefun_module")
    offer(ipython)


def unregister(ipython: Any) -> None:
    """Remove the magics; completion finds nothing to complete then."""
    magics = ipython.magics_manager.magics
    for name in ("statefun", *_CELLS):
        magics["line"].pop(name, None)
        magics["cell"].pop(name, None)
