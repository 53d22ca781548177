"""How dataclasses become plain JSON values and back: cattrs' converter for JSON, and what it lacks.

=============================  =================================================================
Python                         JSON
=============================  =================================================================
Decimal, UUID, date, time      text
timedelta                      its seconds, as text: exact also beyond what a float holds
Enum                           its value; its name where a value is no text and no number
dict with keys other than str  the keys as JSON in text: ``{"1": ..., "[1, 2]": ...}``
a subclass of the declared     its fields and ``"_type": <class>``, as cattrs' tagged unions
Union of more than scalars     ``"_type"`` in the fields of a class, else ``{"_type", "value"}``
numpy's scalars                the Python number
pydantic, protobuf fields      what they write themselves; protobuf's bytes as base64
=============================  =================================================================

All else is as ``cattrs.preconf.json`` has it. None of this is imported before a
dataclass is written.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from enum import Enum
from typing import Any

from cattrs.preconf.json import make_converter

from .conversion import CONVERTED, Enums, Foreign, Numpy, json_text
from .mapping_conversion import Keys, Mappings
from .tagged_conversion import Dataclasses, Unions

__all__ = ["Converter"]


class Converter:
    """cattrs' converter for JSON, with a hook for each row of the table above.

    A ``strict`` one raises for fields that a class does not have.
    """

    def __init__(self, *, strict: bool) -> None:
        self._made = made = make_converter(forbid_extra_keys=strict)
        for cls, write, read in CONVERTED:
            made.register_unstructure_hook(cls, write)
            made.register_structure_hook(cls, _without_class(read))
        enums = Enums(made)
        made.register_unstructure_hook(Enum, enums.write_member)
        made.register_structure_hook(Enum, enums.read_member)
        for rule in (Enums, Keys, Mappings, Dataclasses, Foreign, Numpy, Unions):
            hooks = rule(made)
            made.register_unstructure_hook_factory(hooks.covers, hooks.writer)
            made.register_structure_hook_factory(hooks.covers, hooks.reader)

    def write(self, value: Any, cls: Any) -> bytes:
        """The JSON of a value, as one of ``cls``; None: as one of its own class."""
        return json_text(self._made.unstructure(value, unstructure_as=cls)).encode()

    def read(self, data: bytes, cls: Any) -> Any:
        """The value of ``cls`` that was written so."""
        return self._made.structure(json.loads(data), cls)


def _without_class(read: Callable[[Any], Any]) -> Callable[[Any, Any], Any]:
    return lambda plain, _: read(plain)
