"""Objects that are at work, and of which a copy would be none."""

from __future__ import annotations

from typing import NoReturn

from ..errors import CopyError, class_of

__all__ = ["Live"]


class Live:
    """What is at work, or belongs to what is: a copy would share its insides, and nothing else."""

    __slots__ = ()

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise CopyError(
            f"{class_of(self)} is at work and cannot be copied or pickled: use this one, or take "
            "from it what is to be kept: s.state(...), s.invocations.to_dataframe(), s.backup(path)"
        )
