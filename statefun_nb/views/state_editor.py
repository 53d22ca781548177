"""Setting and clearing state values by hand, and taking it back."""

from __future__ import annotations

from typing import NamedTuple

from ..address import SdkAddress, address_of
from ..engine.base import controls_of
from ..errors import EngineError
from ..protocol.effects import TypedValue
from ..sdk.inference import JSON
from ..sdk.types import BUILT_IN_TYPES, Type
from .entry import read_value
from .source import Source

__all__ = ["StateEditor", "type_of_state"]

_KEPT = 50


class _Edit(NamedTuple):
    address: SdkAddress
    name: str
    before: TypedValue | None
    after: TypedValue | None


class StateEditor:
    """Writes state values that a person typed, checked against their types; remembers the last 50.

    Parameters
    ----------
    source : Source
        The session.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._edits: list[_Edit] = []

    @property
    def undoable(self) -> int:
        """How many edits can be taken back."""
        return len(self._edits)

    def set(self, typename: str, id_: str, name: str, text: str) -> None:
        """Store the value that ``text`` stands for.

        Raises
        ------
        ConversionError
            When it stands for none.
        EngineError
            When the engine cannot, or the value's type is not known here.
        """
        address = address_of(typename, id_)
        before = self._source.engine.state(address).get(name)
        known = type_of_state(self._source, typename, name, before)
        if known is None:
            raise EngineError(
                f"the type of state {name!r} of {typename} is not known here: "
                "run the cell that declares the function"
            )
        data = known.serializer().serialize(read_value(known, text))
        edit = _Edit(address, name, before, TypedValue(known.typename, bytes(data)))
        self._write("dashboard: edit", edit)

    def clear(self, typename: str, id_: str, name: str) -> None:
        """Delete the value."""
        address = address_of(typename, id_)
        before = self._source.engine.state(address).get(name)
        self._write("dashboard: clear", _Edit(address, name, before, None))

    def undo(self) -> str:
        """Take the last edit back, and say what it was.

        Raises
        ------
        EngineError
            When there is none, or the value has changed since.
        """
        if not self._edits:
            raise EngineError("there is no edit to take back")
        edit = self._edits[-1]
        now = self._source.engine.state(edit.address).get(edit.name)
        if now != edit.after:
            self._edits.pop()
            raise EngineError(
                f"{edit.name!r} of {edit.address} has changed since: it is not taken back"
            )
        self._store(edit, edit.before, "dashboard: undo")
        self._edits.pop()
        return f"{edit.name} of {edit.address}"

    def _write(self, by: str, edit: _Edit) -> None:
        self._store(edit, edit.after, by)
        self._edits = [*self._edits, edit][-_KEPT:]

    def _store(self, edit: _Edit, value: TypedValue | None, by: str) -> None:
        controls = controls_of(self._source.engine, f"setting {edit.name!r} of {edit.address}")
        controls.write(edit.address, {edit.name: value}, by=by)


def type_of_state(
    source: Source, typename: str, name: str, value: TypedValue | None
) -> Type | None:
    """The declared type of a state value, or what its typename alone tells."""
    spec = source.functions.find(typename)
    declared = None if spec is None else spec.layout.specs.get(name)
    if declared is not None:
        return declared.type
    if value is None:
        return None
    if value.typename == JSON.typename:
        return JSON
    return BUILT_IN_TYPES.get(value.typename)
