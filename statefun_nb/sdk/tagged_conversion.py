"""Dataclasses and unions: where the JSON says in ``"_type"`` of which class a value is."""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, Literal, NewType, Union, get_args, get_origin, get_type_hints

from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn

from ..errors import DeclarationError
from ..tables import class_name, with_article
from .class_types import TAG
from .conversion import Rule
from .round_trip import same_class

__all__ = ["Dataclasses", "Unions"]

_NATIVE = (str, bool, int, float, type(None))


def _tag_of(cls: Any) -> str:
    """What a class is called in every module and every run of its cell."""
    return str(cls.__qualname__).replace("<locals>.", "")


class Dataclasses(Rule):
    """Their fields; an instance of a subclass of the declared one says so."""

    def covers(self, cls: Any) -> bool:
        origin = get_origin(cls) or cls
        return isinstance(origin, type) and dataclasses.is_dataclass(origin)

    def writer(self, cls: Any) -> Callable[[Any], Any]:
        origin = get_origin(cls) or cls
        _resolve(origin)
        write = make_dict_unstructure_fn(cls, self.converter)
        untagged = _has_tag_field(origin)

        def unstructure(value: Any) -> Any:
            found = value.__class__
            if found is origin:
                return write(value)
            if same_class(found, origin):
                return self.write(value, found)
            if not issubclass(found, origin) or untagged:
                raise TypeError(f"{class_name(found)} is not {with_article(class_name(origin))}")
            return {TAG: _tag_of(found), **self.write(value, found)}

        return unstructure

    def reader(self, cls: Any) -> Callable[[Any, Any], Any]:
        origin = get_origin(cls) or cls
        _resolve(origin)
        read, refuse = self._readers(cls)
        known = frozenset(field.name for field in dataclasses.fields(origin) if field.init)
        knows = known.issuperset if self.strict else lambda _: True
        untagged = _has_tag_field(origin)

        def structure(plain: Any, _: Any) -> Any:
            if not isinstance(plain, Mapping):
                raise TypeError(f"{plain!r} is not an object with fields")
            if untagged or TAG not in plain:
                return read(plain, cls) if knows(plain) else refuse(plain, cls)
            found = _subclass(origin, plain[TAG])
            if found is None:
                raise ValueError(f"no subclass {plain[TAG]!r} is defined")
            return self.read({k: v for k, v in plain.items() if k != TAG}, found)

        return structure

    def _readers(self, cls: Any) -> tuple[Callable[..., Any], Callable[..., Any]]:
        """What reads one, and what raises for the fields that it does not have.

        The first takes a fifth less than the second does, of what is right.
        """
        readers = [
            make_dict_structure_fn(cls, self.converter, _cattrs_forbid_extra_keys=forbid)
            for forbid in (False, True)
        ]
        return readers[0], readers[1]


def _has_tag_field(cls: Any) -> bool:
    return any(field.name == TAG for field in dataclasses.fields(cls))


def _subclass(cls: type, tag: object) -> type | None:
    """The class of that name among a class and those below it, as it was defined last."""
    if tag == _tag_of(cls):
        return cls
    below: list[type] = type.__subclasses__(cls)
    for each in reversed(below):
        found = _subclass(each, tag)
        if found is not None:
            return found
    return None


def _resolve(cls: Any) -> None:
    """Put the classes that texts in annotations name into a dataclass' fields, for cattrs."""
    fields = dataclasses.fields(cls)
    names = {**vars(cls), cls.__name__: cls}  # itself, also where it is local to a function
    try:
        hints = get_type_hints(cls, localns=names, include_extras=True)
    except NameError as error:
        raise DeclarationError(
            f"an annotation of {class_name(cls)} names {error.name!r}, which is not defined at the "
            "top level of its module or notebook"
        ) from error
    for field in fields:
        field.type = hints.get(field.name, field.type)


class Unions(Rule):
    """Those that a JSON value alone does not tell apart: cattrs' tagged unions, for any class.

    What was written without a tag is read as cattrs does by default: by its fields.
    """

    def covers(self, cls: Any) -> bool:
        members = _members(cls)
        scalars = all(m in _NATIVE or get_origin(m) is Literal for m in members)
        return len(members) > 1 and not scalars and Any not in members

    def writer(self, union: Any) -> Callable[[Any], Any]:
        members = _members(union)
        classes = {cls: member for member in members for cls in _classes_of(member)}
        native = _native(members)

        def unstructure(value: Any) -> Any:
            found = value.__class__
            if found in native:
                return value
            member = classes.get(found)
            if member is None:
                member = _member_for(value, members)
            plain = self.write(value, member)
            if dataclasses.is_dataclass(found):
                return {TAG: _tag_of(get_origin(member) or member), **plain}
            return {TAG: _union_tag(member), "value": plain}

        return unstructure

    def reader(self, union: Any) -> Callable[[Any, Any], Any]:
        members = _members(union)
        tags = {_union_tag(member): member for member in members}
        native = _native(members)

        def structure(plain: Any, _: Any) -> Any:
            if plain.__class__ in _NATIVE:
                if plain.__class__ not in native:
                    raise TypeError(f"{plain!r} is none of {union}")
                return plain
            if not isinstance(plain, dict) or TAG not in plain:
                return self._untagged(plain, members)
            tag = plain[TAG]
            member = tags.get(tag)
            if member is None:
                member = _member_below(tag, members)
            if dataclasses.is_dataclass(get_origin(member) or member):
                return self.read({k: v for k, v in plain.items() if k != TAG}, member)
            return self.read(plain["value"], member)

        return structure

    def _untagged(self, plain: Any, members: Iterable[Any]) -> Any:
        """The first member that reads it with nothing left over, else the first that does."""
        ways: list[tuple[int, int, Any]] = []
        for member in members:
            try:
                value = self.read(plain, member)
            except Exception:  # noqa: S112 - of a class of the user's: it is not this one
                continue
            lost = len(plain) - len(self.write(value, member)) if isinstance(plain, dict) else 0
            ways.append((lost, len(ways), value))
        if not ways:
            raise ValueError(f"{plain!r} is none of them")
        return min(ways)[2]


def _members(union: Any) -> tuple[Any, ...]:
    if get_origin(union) not in (Union, types.UnionType):
        return ()
    return tuple(each for each in get_args(union) if each is not type(None))


def _classes_of(member: Any) -> set[Any]:
    """The classes of a member's values."""
    origin = get_origin(member)
    if origin is Literal:
        return {type(each) for each in get_args(member)}
    if origin is Annotated:
        return _classes_of(get_args(member)[0])
    if isinstance(member, NewType):
        return _classes_of(member.__supertype__)
    return {origin or member}


def _native(members: Iterable[Any]) -> set[Any]:
    """The classes whose values are written as they are, and known again: an int may be a float."""
    classes = {cls for member in members for cls in _classes_of(member)} & {*_NATIVE}
    return classes | {type(None)} | ({int} if float in classes else set())


def _union_tag(member: Any) -> str:
    return _tag_of(member) if isinstance(member, type) and not get_args(member) else str(member)


def _member_for(value: Any, members: Iterable[Any]) -> Any:
    for member in members:
        cls = get_origin(member) or member
        if isinstance(cls, type) and (isinstance(value, cls) or same_class(type(value), cls)):
            return member
    raise TypeError(f"{class_name(type(value))} is none of {', '.join(map(_union_tag, members))}")


def _member_below(tag: object, members: Iterable[Any]) -> Any:
    for member in members:
        cls = get_origin(member) or member
        if dataclasses.is_dataclass(cls):
            found = _subclass(cls, tag)  # type: ignore[arg-type]  # it is a class here
            if found is not None:
                return member if found is cls else found  # with its parameters
    raise ValueError(f"no class {tag!r} is defined")
