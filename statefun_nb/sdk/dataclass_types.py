"""How dataclasses are written and read: as JSON, by cattrs."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from functools import cache
from operator import attrgetter
from typing import TYPE_CHECKING, Any, get_args

from ..errors import ConversionError, DeclarationError, described, text_of
from ..tables import class_name, shorten, shown, with_article
from .class_types import ClassSerializer, unknown_fields

if TYPE_CHECKING:
    from .converter import Converter

__all__ = ["DataclassSerializer"]


class DataclassSerializer(ClassSerializer):
    """Writes the fields as JSON; ``Converter`` says how each of them."""

    __slots__ = ("_fields",)

    def __init__(self, cls: Any, *, strict: bool = False) -> None:
        super().__init__(cls, strict=strict)
        self._fields: Callable[[Any], Any] | None = None

    def parts(self, value: Any) -> Any:
        if self._fields is None:
            names = [field.name for field in dataclasses.fields(self.cls)]
            self._fields = attrgetter(*names) if names else lambda _: ()
        return self._fields(value)

    def dump(self, value: Any) -> bytes:
        return _converter(self.strict).write(value, self.of)

    def write(self, value: Any) -> bytes:
        try:
            data = self.dump(value)
        except DeclarationError as error:
            raise ConversionError(f"{shown(value)} cannot be written: {error}") from error
        except Exception as error:  # of properties and classes of the user's
            raise ConversionError(self._blame(value, error)) from error
        self.check(value, data)
        return data

    def read(self, data: bytes) -> Any:
        return _converter(self.strict).read(data, self.of)

    def read_back(self, data: bytes) -> Any:
        # Whoever writes has the class, whose TypedDicts may have been given other keys.
        return _converter(True).read(data, self.of)

    def reasons(self, error: Exception) -> list[str]:
        from cattrs import transform_error

        if not hasattr(error, "group_exceptions"):  # no error of one field
            return super().reasons(error)
        found = transform_error(error, path="", format_exception=_reason)
        return [_sentence(*each.rpartition(_AT)[::2]) for each in found]

    def cause(self, error: Exception) -> Exception | None:
        return None if hasattr(error, "group_exceptions") else error  # else screens of cattrs' own

    def _blame(self, value: Any, error: Exception) -> str:
        if isinstance(error, RecursionError):
            return f"{self.name}: a value that holds itself, or too many others in each other"
        path, part, declared = _unwritable(value, self.of, "")
        dot = "." if path and not path.startswith("[") else ""
        kind = "" if declared is None or path == "" else f" as {_declared_name(declared)}"
        return (
            f"{self.name}{dot}{path}: {shown(part)} cannot be written{kind}: "
            f"{shorten(text_of(error), 200)}"
        )


@cache
def _converter(strict: bool) -> Converter:
    from .converter import Converter  # with cattrs, 80 ms that few notebooks need

    return Converter(strict=strict)


def _declared_name(declared: Any) -> str:
    return (
        class_name(declared) if isinstance(declared, type) else str(declared).replace("typing.", "")
    )


# Who is asked when something is wrong: the smallest part that cannot be written.


def _unwritable(value: Any, declared: Any, path: str) -> tuple[str, Any, Any]:
    for step, part, kind in _parts(value, declared):
        try:
            _converter(False).write(part, kind)
        except Exception:  # as in write
            return _unwritable(part, kind, (path + step).lstrip("."))
    return path, value, declared


def _parts(value: Any, declared: Any) -> Iterator[tuple[str, Any, Any]]:
    kinds = get_args(declared)
    if dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            kind = Any if isinstance(field.type, str) else field.type
            yield f".{field.name}", getattr(value, field.name, None), kind
    elif isinstance(value, dict):
        for key, part in value.items():
            yield f"[{key!r}]", part, kinds[-1] if len(kinds) == 2 else None
    elif isinstance(value, (list, tuple, set, frozenset)):
        for index, part in enumerate(value):
            yield f"[{index}]", part, kinds[0] if len(kinds) in (1, 2) else None


# Between what is wrong and where, in what cattrs makes of an error.
_AT = " @ "


def _reason(error: BaseException, cls: Any) -> str:
    if isinstance(error, KeyError) and cls is not None:
        return "is missing"
    if unknown := getattr(error, "extra_fields", None):
        return unknown_fields(unknown, error.cl)  # type: ignore[attr-defined]  # cattrs' own error
    if cls is None:
        return described(error)
    return f"is not {with_article(_declared_name(cls))} ({shorten(text_of(error), 100)})"


def _sentence(reason: str, path: str) -> str:
    path = path.lstrip(".")
    return f"{path or 'it' if reason.startswith('has ') else path} {reason}".strip()
