"""State that was changed in place and never assigned: nothing of the change is kept.

``cart = ctx.storage.cart; cart.append(3)`` changes an object of the function's own. StateFun's SDK
says nothing either, so that it is no error here: the function works as it does on a cluster.
"""

from __future__ import annotations

from typing import Any

from ..cells.places import place_of_function
from ..errors import ConversionError
from ..sdk.class_types import ClassSerializer
from ..sdk.registry import FunctionSpec
from ..sdk.storage import Cell, MutableCell
from .events import differs

__all__ = ["Unassigned"]


class Unassigned:
    """Looks, after each invocation of a request, at the objects that it has read and not assigned.

    Parameters
    ----------
    spec : FunctionSpec
    cells : list of Cell
        Of the request; those that can be changed in place tell from now on what is read.

    Attributes
    ----------
    read : list
        What the invocation that runs has read.
    found : dict
        Texts that say what is not kept, and how it would be.
    """

    __slots__ = ("_spec", "found", "read")

    def __init__(self, spec: FunctionSpec, cells: list[Cell]) -> None:
        self._spec = spec
        self.read: list[tuple[MutableCell, bytes, Any]] = []
        self.found: dict[str, None] = {}
        for cell in cells:
            if isinstance(cell, MutableCell):
                cell.read = self.read

    def look(self) -> list[str]:
        """What the invocation that ends here has changed in vain, in words."""
        texts: list[str] = []
        for cell, data, value in self.read:
            # What was assigned or cleared since has other data now.
            if data is cell.data and _is_changed(cell, data, value):
                text = self._not_assigned(cell.plan.name)
                if text not in texts:
                    texts.append(text)
        self.read.clear()
        self.found.update(dict.fromkeys(texts))
        return texts

    def _not_assigned(self, name: str) -> str:
        spec = self._spec
        place = place_of_function(spec.fun)
        cure = f"self.{name}.set({name})" if spec.uses_handles else f"ctx.storage.{name} = {name}"
        return (
            f"{spec.typename}{place and f' ({place})'}: state {name!r} was read and changed in "
            f"place, and not assigned: nothing of the change is kept; write {cure}"
        )


def _is_changed(cell: Cell, data: bytes, value: Any) -> bool:
    """Would an object that was read be written as something else?

    Another program may have written the data in another form, and two writings of a set or a map
    may differ: where the bytes do, what is read anew is compared too, as bytes and by its ``==``.
    """
    plan = cell.plan
    try:
        if isinstance(plan.serializer, ClassSerializer):  # it compares the objects: half the time
            return not _is_that(plan.serializer, data, value)
        if (now := _written(cell, value)) == data:
            return False
        fresh = plan.deserialize(data)
        return now != plan.serialize(fresh) and differs(value, fresh)
    except BaseException:  # serializers of the user's may raise anything: nobody can tell
        return False


def _is_that(serializer: ClassSerializer, data: bytes, value: Any) -> bool:
    try:
        serializer.check(value, data)
    except ConversionError:
        return False
    return True


def _written(cell: Cell, value: Any) -> bytes | None:
    try:
        return cell.plan.serialize(value)
    except BaseException:  # it cannot be written any more, or never could
        return None
