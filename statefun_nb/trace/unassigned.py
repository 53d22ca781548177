"""State that was changed in place and not assigned after that: nothing of the change is kept.

``cart = ctx.storage.cart; cart.append(3)`` changes an object of the function's own, and so does
``ctx.storage.cart = cart; cart.append(3)``: what is assigned is written at once. StateFun's SDK
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

# So many objects that one invocation has read are held until it ends; of each cell, the last
# that was assigned.
_MOST_READ = 8
# Of larger ones nothing is told: a set of 100,000 numbers would take 0.2 s to look at.
_LARGEST = 64 * 1024


class Unassigned:
    """Looks, after each invocation of a request, at the objects that it has read or assigned.

    Parameters
    ----------
    spec : FunctionSpec
    cells : list of Cell
        Of the request; those that can be changed in place tell from now on what is done to them.

    Attributes
    ----------
    noted : list
        What the invocation that runs has read and assigned: the cell, its data then, the object
        that stood for it, its mark, and whether it was assigned.
    """

    __slots__ = ("_spec", "noted")

    def __init__(self, spec: FunctionSpec, cells: list[Cell]) -> None:
        self._spec = spec
        self.noted: list[tuple[MutableCell, bytes | None, Any, bytes | None, bool]] = []
        for cell in cells:
            if isinstance(cell, MutableCell):
                cell.watch = self

    def read(self, cell: MutableCell, value: Any) -> None:
        if len(self.noted) < _MOST_READ:
            self._note(cell, value, assigned=False)

    def assigned(self, cell: MutableCell, value: Any) -> None:
        if self.noted:  # what was noted of the cell before stands for its data no more
            self.noted = [each for each in self.noted if each[0] is not cell]
        self._note(cell, value, assigned=True)

    def _note(self, cell: MutableCell, value: Any, *, assigned: bool) -> None:
        if len(cell.data or b"") <= _LARGEST:
            self.noted.append((cell, cell.data, value, cell.plan.mark(value), assigned))

    def look(self) -> list[str]:
        """What the invocation that ends here has changed in vain, in words."""
        texts: list[str] = []
        for cell, data, value, mark, assigned in self.noted:
            # What was assigned or cleared since has other data now.
            if data is not cell.data or data is None:
                continue
            if mark is not None and mark == cell.plan.mark(value):
                continue
            if _is_changed(cell, data, value):
                text = self._not_assigned(cell.plan.name, assigned)
                if text not in texts:
                    texts.append(text)
        self.noted.clear()
        return texts

    def _not_assigned(self, name: str, assigned: bool) -> str:
        spec = self._spec
        place = place_of_function(spec.fun)
        where = f"{spec.typename}{place and f' ({place})'}"
        cure = f"self.{name}.set({name})" if spec.uses_handles else f"ctx.storage.{name} = {name}"
        if assigned:
            return (
                f"{where}: state {name!r} was assigned, and changed in place after that: nothing "
                f"of the later change is kept; write {cure} after the change"
            )
        return (
            f"{where}: state {name!r} was read and changed in place, and not assigned: "
            f"nothing of the change is kept; write {cure}"
        )


def _is_changed(cell: Cell, data: bytes, value: Any) -> bool:
    """Would an object be written as something else than it was, or was read from?

    Another program may have written the data in another form, and two writings of a set or a map
    may differ: where the bytes do, what is read anew is compared too, as bytes and by its ``==``.
    """
    plan = cell.plan
    try:
        if isinstance(plan.serializer, ClassSerializer):
            return plan.serializer.dump(value) != data and not _is_that(
                plan.serializer, data, value
            )
        if (now := _written(cell, value)) == data:
            return False
        fresh = plan.deserialize(data)
        if now == plan.serialize(fresh) or not differs(value, fresh):
            return False
        return now is None or now == _written(cell, value)  # else no two writings are the same
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
