"""How pydantic models are written and read: by pydantic, which only its users import."""

from __future__ import annotations

import inspect
import json
from typing import Any

from ..errors import ConversionError, text_of
from ..tables import shorten, shown
from .class_types import ClassSerializer

__all__ = ["ModelSerializer"]


class ModelSerializer(ClassSerializer):
    """Writes by alias and without what is computed, so that the model itself can read it.

    Numbers that are not finite are written as Python's json module does, which pydantic reads.
    """

    __slots__ = ("_names",)

    def __init__(self, cls: Any) -> None:
        super().__init__(cls)
        # Since pydantic 2.11 a field can also be read by its own name.
        known = inspect.signature(cls.model_validate_json).parameters
        self._names = {"by_alias": True, "by_name": True} if "by_name" in known else {}

    def write(self, value: Any) -> bytes:
        # A field whose alias is for writing alone is read by its own name.
        first: ConversionError | None = None
        for by_alias in (True, False):
            data = self._dump(value, by_alias=by_alias)
            try:
                self.check(value, data)
            except ConversionError as error:
                first = first or error
            else:
                return data
        assert first is not None  # one of the two has raised
        raise first

    def _dump(self, value: Any, *, by_alias: bool) -> bytes:
        try:
            plain = _plain(value, by_alias=by_alias)
            return json.dumps(plain, ensure_ascii=False).encode()
        except Exception as error:  # serializers of the user's may raise anything
            raise ConversionError(self._blame(value, error)) from error

    def _blame(self, value: Any, error: Exception) -> str:
        """Which field cannot be written."""
        reason = shorten(text_of(error), 200)
        for name in type(value).model_fields:
            try:
                json.dumps(_plain(value, include={name}), ensure_ascii=False).encode()
            except Exception:  # as above
                part = getattr(value, name, None)
                return f"{self.name}.{name}: {shown(part)} cannot be written: {reason}"
        return f"{shown(value)} cannot be written: {reason}"

    def read(self, data: bytes) -> Any:
        return self.cls.model_validate_json(data, **self._names)

    def reasons(self, error: Exception) -> list[str]:
        errors = getattr(error, "errors", None)
        if errors is None:
            return super().reasons(error)
        found = []
        for each in errors(include_url=False, include_input=False):
            where = _path(each["loc"])
            what = "is missing" if each["type"] == "missing" else each["msg"]
            found.append(f"{where} {what}" if each["type"] == "missing" else f"{where}: {what}")
        return found


def _path(steps: tuple[Any, ...]) -> str:
    path = "".join(f".{each}" if isinstance(each, str) else f"[{each}]" for each in steps)
    return path.lstrip(".")


def _plain(value: Any, **options: Any) -> Any:
    """Plain values; a field that holds another class than it declares is no warning: see check."""
    return value.model_dump(mode="json", round_trip=True, warnings=False, **options)
