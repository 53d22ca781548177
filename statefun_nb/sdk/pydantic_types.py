"""How pydantic models are written and read: by pydantic, which only its users import."""

from __future__ import annotations

import inspect
import json
from typing import Any

from ..errors import ConversionError, text_of
from ..tables import shorten, shown
from .class_types import ClassSerializer, unknown_fields
from .plain import json_bytes

__all__ = ["ModelSerializer"]


class ModelSerializer(ClassSerializer):
    """Writes by alias and without what is computed, so that the model itself can read it.

    Numbers that are not finite are written as Python's json module does, which pydantic reads.
    """

    __slots__ = ("_forbid", "_names")

    def __init__(self, cls: Any, *, strict: bool = False) -> None:
        super().__init__(cls, strict=strict)
        # Since pydantic 2.11 a field can also be read by its own name.
        known = inspect.signature(cls.model_validate_json).parameters
        self._names = {"by_alias": True, "by_name": True} if "by_name" in known else {}

        # Since 2.12 it can be told, for all models in it, to raise for what they do not have.
        self._forbid = {"extra": "forbid"} if strict and "extra" in known else {}

    def parts(self, value: Any) -> Any:
        return value.__dict__, value.__pydantic_extra__, value.__pydantic_private__

    def dump(self, value: Any) -> bytes:
        return self._dump(value, by_alias=True)

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
            return json_bytes(plain)
        except Exception as error:  # serializers of the user's may raise anything
            raise ConversionError(self._blame(value, error)) from error

    def _blame(self, value: Any, error: Exception) -> str:
        """Which field cannot be written."""
        reason = shorten(text_of(error), 200)
        for name in type(value).model_fields:
            try:
                json_bytes(_plain(value, include={name}))
            except Exception:  # as above
                part = getattr(value, name, None)
                return f"{self.name}.{name}: {shown(part)} cannot be written: {reason}"
        return f"{shown(value)} cannot be written: {reason}"

    def read(self, data: bytes) -> Any:
        if self._forbid:
            try:
                return self.cls.model_validate_json(data, **self._names, **self._forbid)
            except Exception as error:
                if not _is_of_extra(error):
                    raise
        value = self.cls.model_validate_json(data, **self._names)
        if self.strict and (unknown := first_unknown(value, json.loads(data))):
            raise UnknownFieldsError(unknown)
        return value

    def cause(self, error: Exception) -> Exception | None:
        return None if isinstance(error, UnknownFieldsError) else error

    def reasons(self, error: Exception) -> list[str]:
        if isinstance(error, UnknownFieldsError):
            return [str(error)]
        errors = getattr(error, "errors", None)
        if errors is None:
            return super().reasons(error)
        found = []
        for each in errors(include_url=False, include_input=False):
            where = _path(each["loc"])
            what = "is missing" if each["type"] == "missing" else each["msg"]
            found.append(f"{where} {what}" if each["type"] == "missing" else f"{where}: {what}")
        return found


class UnknownFieldsError(ValueError):
    """Stored fields that a model does not have; the text follows "cannot be read as Cart: "."""


def _is_of_extra(error: Exception) -> bool:
    errors = getattr(error, "errors", None)
    if errors is None:
        return False
    return any(each["type"] == "extra_forbidden" for each in errors(include_url=False))


def first_unknown(value: Any, plain: Any, path: str = "") -> str:
    """Which fields of a plain value a model has left out that says nothing of such; else ""."""
    if getattr(type(value), "__pydantic_root_model__", False):
        value = value.root
    if isinstance(plain, list) and isinstance(value, (list, tuple)):
        pairs = [(f"[{n}]", *each) for n, each in enumerate(zip(value, plain, strict=False))]
    elif not isinstance(plain, dict):
        return ""
    elif isinstance(value, dict):
        pairs = [(f"[{k!r}]", value[k], plain[k]) for k in plain if k in value]
    elif hasattr(type(value), "model_fields"):
        fields = _fields(type(value))
        unknown = [key for key in plain if key not in fields]
        if unknown and _takes_no_more(type(value)):
            return f"{path.lstrip('.') or 'it'} {unknown_fields(unknown, type(value))}"
        pairs = [
            (f".{fields[key]}", getattr(value, fields[key], None), each)
            for key, each in plain.items()
            if key in fields
        ]
    else:
        return ""
    found = (first_unknown(part, each, path + step) for step, part, each in pairs)
    return next(filter(None, found), "")


def _takes_no_more(cls: Any) -> bool:
    """Is it by pydantic's default that a model leaves out what it does not have?

    One that says what becomes of such fields, or looks at what is read before pydantic does (and so
    may know what they were), is taken at its word.
    """
    checks = cls.__pydantic_decorators__.model_validators.values()
    return "extra" not in cls.model_config and all(each.info.mode == "after" for each in checks)


def _fields(cls: Any) -> dict[str, str]:
    """The names of a model's fields, by all that they are read by."""
    found = {}
    for name, field in cls.model_fields.items():
        aliases = field.validation_alias
        for alias in (name, field.alias, *getattr(aliases, "choices", (aliases,))):
            first = getattr(alias, "path", (alias,))[0]  # of an AliasPath
            if isinstance(first, str):
                found[first] = name
    return found


def _path(steps: tuple[Any, ...]) -> str:
    path = "".join(f".{each}" if isinstance(each, str) else f"[{each}]" for each in steps)
    return path.lstrip(".")


def _plain(value: Any, **options: Any) -> Any:
    """Plain values; a field that holds another class than it declares is no warning: see check."""
    return value.model_dump(mode="json", round_trip=True, warnings=False, **options)
