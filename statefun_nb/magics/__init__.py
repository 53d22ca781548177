"""``%statefun`` and ``%%statefun_function``: thin calls of the public API."""

from __future__ import annotations

from typing import Any

__all__ = ["register", "unregister"]

_NAMES = (("line", "statefun"), ("cell", "statefun_function"), ("line", "statefun_function"))


def register(ipython: Any) -> None:
    """Add the magics and their completion to a shell."""
    from .cell import statefun_function
    from .complete import complete
    from .line import statefun
    from .parser import cell_parser, line_parser

    def cell_magic(line: str, cell: str = "") -> None:
        statefun_function(ipython, line, cell)

    cell_magic.__doc__ = cell_parser().format_help()  # what %%statefun_function? shows
    statefun.__doc__ = line_parser().format_help()
    ipython.register_magic_function(statefun, "line", "statefun")
    ipython.register_magic_function(cell_magic, "line_cell", "statefun_function")
    ipython.set_hook("complete_command", complete, str_key="%statefun")
    ipython.set_hook("complete_command", complete, str_key="statefun")


def unregister(ipython: Any) -> None:
    """Remove the magics; completion finds nothing to complete then."""
    for kind, name in _NAMES:
        ipython.magics_manager.magics[kind].pop(name, None)
