"""module.yaml before 3.1: one document of a version, with lists of parts, each of meta and spec.

==========  ===========================================================================
version     what is in it
==========  ===========================================================================
3.0         ``endpoints``, ``ingresses``, ``egresses``, whose kinds have other names now
2.0, 1.0    ``functions``, each with its endpoint and the names of its state
(none)      the same without ``version`` and ``module``, as Go's SDK of that time wrote it
==========  ===========================================================================
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from ..address import parse_typename
from ..errors import DeclarationError
from ..tables import shorten, shown
from .any_values import typename_of_bytes
from .durations import seconds
from .effects import ExpireMode
from .module_kinds import names_of
from .module_nodes import (
    LineError,
    child,
    has_not,
    line_of,
    lines_of,
    pairs,
    settings_of,
    value_of,
)
from .module_yaml import (
    KAFKA_EGRESS,
    KAFKA_INGRESS,
    KINESIS_EGRESS,
    KINESIS_INGRESS,
    OLDER_ENDPOINT,
    Setting,
    Settings,
)

__all__ = [
    "EXPIRE_MODES",
    "OF_2",
    "OLDER_KEYS",
    "TIMEOUTS",
    "parts_of_module",
]

# A document without ``kind`` that has one of these is an older module.
OLDER_KEYS = frozenset({"module", "functions"})
EXPIRE_MODES = {"after-invoke": ExpireMode.AFTER_INVOKE, "after-write": ExpireMode.AFTER_WRITE}


class Part(NamedTuple):
    """What would be a document today, the node of its spec, and what is ignored in the file."""

    kind: str
    spec: dict[str, Any]
    node: Any
    settings: Settings
    notes: tuple[str, ...] = ()


def parts_of_module(node: Any) -> list[Part]:
    """Each endpoint, ingress and egress of an older module.

    Raises
    ------
    LineError
        When something in it is not as it should be, or cannot be done any more.
    """
    notes: list[str] = []
    top = dict(pairs(node))
    if "module" not in top:
        parts = _parts_of_2(node, "the document", notes)
    else:
        _note(notes, node, "the document", ("version", "module"))
        version = str(child(node, "version", "the document").value)
        module = top["module"]
        spec = child(module, "spec", "module")
        _note(notes, module, "module", ("meta", "spec"))
        _check_type(dict(pairs(module)).get("meta"), notes)
        if version in ("1.0", "2.0"):
            parts = _parts_of_2(spec, "the spec of module", notes)
        elif version == "3.0":
            parts = _parts_of_3_0(spec, notes)
        else:
            raise LineError(
                line_of(node), f"version {version!r} is not known, only 1.0, 2.0 and 3.0 are"
            )
    if notes and not parts:
        raise LineError(line_of(node), f"nothing is in this module ({'; '.join(notes)})")
    return [parts[0]._replace(notes=(*notes, *parts[0].notes)), *parts[1:]] if parts else []


def _check_type(meta: Any, notes: list[str]) -> None:
    if meta is None:
        return
    _note(notes, meta, "meta", ("type",))
    type_ = dict(pairs(meta)).get("type")
    if type_ is not None and str(type_.value).lower() != "remote":
        raise LineError(
            line_of(type_), f"a module of type {type_.value!r} is Java's own; remote is known"
        )


def _note(notes: list[str], node: Any, owner: str, known: Iterable[str]) -> None:
    """Note each key that StateFun does not know there."""
    known = tuple(known)
    notes += (has_not(line, owner, key, known) for key, line in _unknown(node, known))


def _unknown(node: Any, known: Iterable[str]) -> list[tuple[str, int]]:
    return [(key, line) for key, line in lines_of(node).items() if key not in known]


class _Item(NamedTuple):
    """One of a list: what holds its ``meta:`` and ``spec:``, and what is ignored in it."""

    node: Any
    notes: list[str]


def _items(spec: Any, plural: str, singular: str) -> list[_Item]:
    found = dict(pairs(spec)).get(plural)
    if found is None:
        return []
    if found.id != "sequence":
        raise LineError(line_of(found), f"{plural}: is a list, each of - {singular}:")
    items = []
    for item in found.value:
        notes: list[str] = []
        inner = child(item, singular, plural)
        if pairs(inner):
            _note(notes, item, f"an item of {plural}", (singular,))
            _note(notes, inner, singular, ("meta", "spec"))
        else:  # siblings of `- function:`, which is empty then, in the README of Go's SDK
            inner = item
            _note(notes, item, singular, (singular, "meta", "spec"))
        items.append(_Item(inner, notes))
    return items


def _only(spec: Any, known: str, other: str, version: str) -> None:
    for key, node in pairs(spec):
        if key == other:
            raise LineError(
                line_of(node), f"{other}: are of version {version}; here it is {known}:"
            )


def _meta(item: _Item, where: str, known: Iterable[str]) -> Any:
    meta = child(item.node, "meta", where)
    _note(item.notes, meta, "meta", known)
    return meta


def _spec(item: _Item, where: str, what: str, known: Iterable[str]) -> tuple[dict[str, Any], Any]:
    """What is known of a spec, and its node."""
    body = child(item.node, "spec", where)
    value = value_of(body)
    if not isinstance(value, dict):
        raise LineError(line_of(body), f"the spec: of {what} holds names and values")
    known = tuple(known)
    _note(item.notes, body, what, known)
    # A name of today beside those of the file would take their place.
    return {key: each for key, each in value.items() if key in known}, body


# 3.0: what the kinds became.
_PARTS = (("endpoints", "endpoint"), ("ingresses", "ingress"), ("egresses", "egress"))
_NEWER = {
    "http": "io.statefun.endpoints.v1/http",
    "io.statefun.kafka/ingress": KAFKA_INGRESS,
    "io.statefun.kafka/egress": KAFKA_EGRESS,
    "io.statefun.kinesis/ingress": KINESIS_INGRESS,
    "io.statefun.kinesis/egress": KINESIS_EGRESS,
}


def _parts_of_3_0(spec: Any, notes: list[str]) -> list[Part]:
    _only(spec, "endpoints", "functions", "1.0 and 2.0")
    _note(notes, spec, "the spec of module", (plural for plural, _ in _PARTS))
    parts = []
    for plural, singular in _PARTS:
        for item in _items(spec, plural, singular):
            node = _meta(item, singular, ("kind", "type", "id"))
            meta = {key: str(value.value) for key, value in pairs(node)}
            old = meta.get("kind") or meta.get("type")
            if old not in _NEWER:
                known = ", ".join(_NEWER)
                raise LineError(line_of(item.node), f"unknown {old!r}; known are {known}")
            value, body = _spec(item, singular, old, names_of(_NEWER[old]) - {"id"})
            if "id" in meta:
                value = {"id": meta["id"], **value}
            parts.append(Part(_NEWER[old], value, body, settings_of(body), tuple(item.notes)))
    return parts


# 2.0 and 1.0.
_ROUTABLE = "statefun.kafka.io/routable-protobuf-ingress"
OF_2 = {
    "ingress": {
        _ROUTABLE: (KAFKA_INGRESS, "topics"),
        "statefun.kinesis.io/routable-protobuf-ingress": (KINESIS_INGRESS, "streams"),
    },
    "egress": {
        "statefun.kafka.io/generic-egress": (KAFKA_EGRESS, ""),
        "statefun.kinesis.io/generic-egress": (KINESIS_EGRESS, ""),
    },
}
_ROUTED = (
    f"is not read: write {_ROUTABLE}, whose topics have typeUrl: and targets:, and whose Kafka "
    "key is the id"
)
TIMEOUTS = {
    "timeout": "call",
    "connectTimeout": "connect",
    "readTimeout": "read",
    "writeTimeout": "write",
}
_OF_FUNCTION = ("endpoint", "states", "maxNumBatchRequests", *TIMEOUTS)
# What is called otherwise today.
_TODAY: dict[str, tuple[str, ...]] = {
    "endpoint": ("urlPathTemplate",),
    **{key: ("timeouts", name) for key, name in TIMEOUTS.items()},
}
_OF_STATE = ("name", "expireAfter", "expireMode")


def _parts_of_2(spec: Any, where: str, notes: list[str]) -> list[Part]:
    routers = dict(pairs(spec)).get("routers")
    if routers is not None and routers.value:
        raise LineError(line_of(routers), f"routers: of a protobuf-ingress {_ROUTED}")
    _only(spec, "functions", "endpoints", "3.0")
    _note(notes, spec, where, ("functions", "ingresses", "egresses", "routers"))
    parts = [_function(item) for item in _items(spec, "functions", "function")]
    for plural, singular in _PARTS[1:]:
        parts += [_io(item, singular) for item in _items(spec, plural, singular)]
    return parts


def _function(item: _Item) -> Part:
    meta = _meta(item, "function", ("kind", "type"))
    kind, name = child(meta, "kind", "meta"), child(meta, "type", "meta")
    if kind.value == "grpc":
        raise LineError(
            line_of(kind),
            "kind: grpc was never called by StateFun: serve the function by HTTP, and write "
            "kind: http and its URL as endpoint:",
        )
    if kind.value != "http":
        raise LineError(line_of(kind), f"unknown kind {kind.value!r} of function; http is known")
    try:
        parse_typename(name.value)
    except DeclarationError as error:
        raise LineError(line_of(name), str(error)) from error
    if "*" in name.value:
        raise LineError(
            line_of(name), f"{name.value!r}: before 3.0 each function stands there by its own name"
        )
    value, body = _spec(item, "function", str(name.value), _OF_FUNCTION)
    if not isinstance(value.get("endpoint"), str):
        raise LineError(line_of(body), f"the spec of {name.value} lacks endpoint: and its URL")
    spec: dict[str, Any] = {"functions": name.value, "urlPathTemplate": value["endpoint"]}
    if times := {TIMEOUTS[key]: str(value[key]) for key in TIMEOUTS if key in value}:
        spec["timeouts"] = times
    states = dict(pairs(body)).get("states")
    if states is not None:
        spec["states"] = _states(states, item.notes)
    if "maxNumBatchRequests" in value:
        spec["maxNumBatchRequests"] = value["maxNumBatchRequests"]
    settings = {
        _TODAY.get(key, (key,)): Setting(key, line)
        for key, line in lines_of(body).items()
        if key in _OF_FUNCTION
    }
    return Part(OLDER_ENDPOINT, spec, body, settings, tuple(item.notes))


def _states(node: Any, notes: list[str]) -> list[dict[str, Any]]:
    """Names, and when their values expire; 1.0 has the names alone."""
    if node.id != "sequence":
        raise LineError(line_of(node), "states: is a list of names, or of - name:")
    states: dict[str, dict[str, Any]] = {}
    lines: dict[str, int] = {}
    for each in node.value:
        state, line = _state(each, notes), line_of(each)
        known = states.setdefault(state["name"], state)
        first = lines.setdefault(state["name"], line)
        if known != state:
            raise LineError(
                line,
                f"the state {shorten(state['name'])!r} is declared in line {first}, too, and "
                "expires otherwise there",
            )
    return list(states.values())


def _state(node: Any, notes: list[str]) -> dict[str, Any]:
    value, lines, line = value_of(node), lines_of(node), line_of(node)
    state = {"name": value} if isinstance(value, str) else value
    if not isinstance(state, dict) or not isinstance(state.get("name"), str):
        raise LineError(line, f"a state has a name:, and is not {shown(value)}")
    _note(notes, node, f"the state {shorten(state['name'])!r}", _OF_STATE)
    if "expireAfter" in state:
        try:
            seconds(state["expireAfter"])
        except ValueError as error:
            raise LineError(lines["expireAfter"], f"expireAfter: {error}") from error
    elif "expireMode" in state:
        raise LineError(
            lines["expireMode"],
            f"the state {shorten(state['name'])!r} has expireMode: and no expireAfter:",
        )
    mode = state.get("expireMode", "after-invoke")
    if mode not in EXPIRE_MODES:
        known = " and ".join(EXPIRE_MODES)
        raise LineError(lines["expireMode"], f"unknown expireMode {mode!r}; known are {known}")
    return {key: each for key, each in state.items() if key in _OF_STATE}


def _io(item: _Item, singular: str) -> Part:
    meta = _meta(item, singular, ("type", "id"))
    kind = child(meta, "type", "meta")
    if kind.value == "statefun.kafka.io/protobuf-ingress":
        raise LineError(line_of(kind), f"{kind.value} {_ROUTED}")
    known = OF_2[singular]
    if kind.value not in known:
        raise LineError(line_of(kind), f"unknown {kind.value!r}; known are {', '.join(known)}")
    today, sources = known[kind.value]
    value, body = _spec(item, singular, kind.value, names_of(today) - {"id"})
    spec = {"id": str(child(meta, "id", "meta").value), **value}
    nodes = dict(pairs(body))
    if sources:
        spec[sources] = _sources(nodes.get(sources), sources, body, item.notes)
    semantic = spec.get("deliverySemantic")
    if isinstance(semantic, dict):
        names = ("type", "transactionTimeoutMillis")
        _note(item.notes, nodes["deliverySemantic"], "deliverySemantic", names)
        rest = {key: each for key, each in semantic.items() if key in names}
        if (millis := rest.pop("transactionTimeoutMillis", None)) is not None:
            rest["transactionTimeout"] = f"{millis}ms"
        spec["deliverySemantic"] = rest
    return Part(today, spec, body, settings_of(body), tuple(item.notes))


def _sources(node: Any, name: str, body: Any, notes: list[str]) -> list[dict[str, Any]]:
    """Topics or streams, with what today is called valueType."""
    if node is None or node.id != "sequence":
        raise LineError(lines_of(body).get(name, line_of(body)), f"{name}: is a list")
    known = (name.removesuffix("s"), "typeUrl", "targets")
    converted = []
    for each in node.value:
        source = value_of(each)
        if not isinstance(source, dict) or not isinstance(source.get("typeUrl"), str):
            raise LineError(line_of(each), f"each of {name} has typeUrl: and targets:")
        _note(notes, each, f"an item of {name}", known)
        value_type = typename_of_bytes(source["typeUrl"])
        converted.append(
            {("valueType" if k == "typeUrl" else k): v for k, v in source.items() if k in known}
            | {"valueType": value_type}
        )
    return converted
