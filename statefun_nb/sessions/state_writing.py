"""Setting state by hand: what ``Session.set_state`` checks and hands to the engine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..address import SdkAddress
from ..engine.base import Engine, controls_of
from ..errors import ConversionError, StateNameError, did_you_mean
from ..protocol.effects import TypedValue
from ..sdk.messages import typed_value
from ..sdk.registry import StatefulFunctions
from ..sdk.targets import target_of
from ..sdk.value_spec import ValueSpec

__all__ = ["write_state"]


def write_state(
    engine: Engine, functions: StatefulFunctions, typename: str, id: str, values: Mapping[str, Any]
) -> None:
    """Set these values of one address, all or none; see ``Session.set_state``."""
    address = target_of(typename, id)
    controls = controls_of(engine, f"setting the state of {address}")
    found = functions.find(typename)
    declared = {} if found is None else found.layout.specs
    kept = engine.state(address)
    written: dict[str, TypedValue | None] = {}
    for name, value in values.items():
        spec = declared.get(name)
        if spec is None and (value is not None or name not in kept):
            functions.for_typename(typename)  # raises when it is not declared at all
            names = ", ".join(declared) or "none"
            raise StateNameError(
                f"{typename} declares no state {name!r} (declared: {names})"
                f"{did_you_mean(name, declared)}"
            )
        written[name] = None if spec is None or value is None else _typed(spec, value, address)
    specs = [declared[name].wire_spec() for name, value in written.items() if value is not None]
    known = {name: value for name, value in written.items() if value is not None or name in kept}
    if known:
        controls.write(address, known, specs)


def _typed(spec: ValueSpec, value: Any, address: SdkAddress) -> TypedValue:
    try:
        return typed_value(spec.type, value)
    except ConversionError as error:
        raise error.__class__(f"state {spec.name!r} of {address}: {error}") from error
