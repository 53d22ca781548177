"""What waiting has found."""

from __future__ import annotations

from typing import NamedTuple, NoReturn

from ..errors import SessionError

__all__ = ["Idle"]


class Idle(NamedTuple):
    """What ``wait_idle`` found: messages processed since it last said so, and what is left.

    ``waiting`` is 0 unless the engine is paused; ``delayed`` messages fall due later.
    """

    processed: int
    parked: int
    waiting: int = 0
    delayed: int = 0

    def __repr__(self) -> str:
        parts = [f"processed={self.processed}", f"parked={self.parked}"]
        parts += [f"waiting={self.waiting}"] if self.waiting else []
        parts += [f"delayed={self.delayed}"] if self.delayed else []
        return f"Idle({', '.join(parts)})"

    def __await__(self) -> NoReturn:
        raise SessionError(
            "wait_idle has waited already, and holds the cell up meanwhile: leave the await out, "
            "or write await s.idle()"
        )
