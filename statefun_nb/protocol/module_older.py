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

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from ..address import parse_typename
from ..errors import DeclarationError
from ..tables import shown
from .any_values import ANY, type_url_of_bytes, typename_of_bytes
from .durations import seconds
from .effects import ExpireMode, StateSpec
from .module_nodes import LineError, child, line_of, lines_of, pairs, value_of
from .module_yaml import (
    KAFKA_EGRESS,
    KAFKA_INGRESS,
    KINESIS_EGRESS,
    KINESIS_INGRESS,
    OLDER_ENDPOINT,
    Document,
)

__all__ = [
    "EXPIRE_MODES",
    "OLDER_KEYS",
    "older_endpoint",
    "parts_of_module",
    "state_specs",
    "with_older_endpoints",
    "write_older",
]

# A document without ``kind`` that has one of these is an older module.
OLDER_KEYS = frozenset({"module", "functions"})
EXPIRE_MODES = {"after-invoke": ExpireMode.AFTER_INVOKE, "after-write": ExpireMode.AFTER_WRITE}


class Part(NamedTuple):
    """What would be a document today, and the node of its spec."""

    kind: str
    spec: dict[str, Any]
    node: Any


def parts_of_module(node: Any) -> list[Part]:
    """Each endpoint, ingress and egress of an older module.

    Raises
    ------
    LineError
        When something in it is not as it should be, or cannot be done any more.
    """
    top = dict(pairs(node))
    if "module" not in top:
        return _parts_of_2(node)
    version = str(child(node, "version", "the document").value)
    spec = child(child(node, "module", "the document"), "spec", "module")
    if version in ("1.0", "2.0"):
        return _parts_of_2(spec)
    if version == "3.0":
        return _parts_of_3_0(spec)
    raise LineError(line_of(node), f"version {version!r} is not known, only 1.0, 2.0 and 3.0 are")


def _items(spec: Any, plural: str, singular: str) -> list[Any]:
    """What holds ``meta:`` and ``spec:`` of each of a list."""
    found = dict(pairs(spec)).get(plural)
    if found is None:
        return []
    if found.id != "sequence":
        raise LineError(line_of(found), f"{plural}: is a list, each of - {singular}:")
    items = []
    for item in found.value:
        inner = child(item, singular, plural)
        # As siblings of `- function:`, which is empty then, in the README of Go's SDK.
        items.append(inner if pairs(inner) else item)
    return items


def _only(spec: Any, known: str, other: str, version: str) -> None:
    for key, node in pairs(spec):
        if key == other:
            raise LineError(
                line_of(node), f"{other}: are of version {version}; here it is {known}:"
            )


def _meta(part: Any, where: str) -> dict[str, Any]:
    return dict(pairs(child(part, "meta", where)))


def _spec(part: Any, where: str, what: str) -> tuple[dict[str, Any], Any]:
    body = child(part, "spec", where)
    value = value_of(body)
    if not isinstance(value, dict):
        raise LineError(line_of(body), f"the spec: of {what} holds names and values")
    return value, body


# 3.0: what the kinds became.
_PARTS = (("endpoints", "endpoint"), ("ingresses", "ingress"), ("egresses", "egress"))
_NEWER = {
    "http": "io.statefun.endpoints.v1/http",
    "io.statefun.kafka/ingress": KAFKA_INGRESS,
    "io.statefun.kafka/egress": KAFKA_EGRESS,
    "io.statefun.kinesis/ingress": KINESIS_INGRESS,
    "io.statefun.kinesis/egress": KINESIS_EGRESS,
}


def _parts_of_3_0(spec: Any) -> list[Part]:
    _only(spec, "endpoints", "functions", "1.0 and 2.0")
    parts = []
    for plural, singular in _PARTS:
        for part in _items(spec, plural, singular):
            meta = {key: str(value.value) for key, value in _meta(part, singular).items()}
            old = meta.get("kind") or meta.get("type")
            if old not in _NEWER:
                known = ", ".join(_NEWER)
                raise LineError(line_of(part), f"unknown {old!r}; known are {known}")
            value, body = _spec(part, singular, old)
            if "id" in meta:
                value = {"id": meta["id"], **value}
            parts.append(Part(_NEWER[old], value, body))
    return parts


# 2.0 and 1.0.
_ROUTABLE = "statefun.kafka.io/routable-protobuf-ingress"
_OF_2 = {
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
_TIMEOUTS = {
    "timeout": "call",
    "connectTimeout": "connect",
    "readTimeout": "read",
    "writeTimeout": "write",
}


def _parts_of_2(spec: Any) -> list[Part]:
    routers = dict(pairs(spec)).get("routers")
    if routers is not None and routers.value:
        raise LineError(line_of(routers), f"routers: of a protobuf-ingress {_ROUTED}")
    _only(spec, "functions", "endpoints", "3.0")
    parts = [_function(part) for part in _items(spec, "functions", "function")]
    for plural, singular in _PARTS[1:]:
        parts += [_io(part, singular) for part in _items(spec, plural, singular)]
    return parts


def _function(part: Any) -> Part:
    meta = child(part, "meta", "function")
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
    value, body = _spec(part, "function", "function")
    if not isinstance(value.get("endpoint"), str):
        raise LineError(line_of(body), f"the spec of {name.value} lacks endpoint: and its URL")
    spec: dict[str, Any] = {"functions": name.value, "urlPathTemplate": value.pop("endpoint")}
    times = {_TIMEOUTS[key]: str(value.pop(key)) for key in _TIMEOUTS if key in value}
    if times:
        spec["timeouts"] = times
    states = dict(pairs(body)).get("states")
    if states is not None:
        del value["states"]
        spec["states"] = _states(states)
    return Part(OLDER_ENDPOINT, {**spec, **value}, body)


def _states(node: Any) -> list[dict[str, Any]]:
    """Names, and when their values expire; 1.0 has the names alone."""
    if node.id != "sequence":
        raise LineError(line_of(node), "states: is a list of names, or of - name:")
    states = []
    for each in node.value:
        value = value_of(each)
        state = {"name": value} if isinstance(value, str) else value
        if not isinstance(state, dict) or not isinstance(state.get("name"), str):
            raise LineError(line_of(each), f"a state has a name:, and is not {shown(value)}")
        if "expireAfter" in state:
            try:
                seconds(state["expireAfter"])
            except ValueError as error:
                raise LineError(line_of(each), f"expireAfter: {error}") from error
        mode = state.get("expireMode", "after-invoke")
        if mode not in EXPIRE_MODES:
            known = " and ".join(EXPIRE_MODES)
            raise LineError(line_of(each), f"unknown expireMode {mode!r}; known are {known}")
        states.append(state)
    return states


def _io(part: Any, singular: str) -> Part:
    meta = child(part, "meta", singular)
    kind, id_ = child(meta, "type", "meta"), dict(pairs(meta)).get("id")
    if kind.value == "statefun.kafka.io/protobuf-ingress":
        raise LineError(line_of(kind), f"{kind.value} {_ROUTED}")
    known = _OF_2[singular]
    if kind.value not in known:
        raise LineError(line_of(kind), f"unknown {kind.value!r}; known are {', '.join(known)}")
    today, sources = known[kind.value]
    value, body = _spec(part, singular, kind.value)
    spec = dict(value) if id_ is None else {"id": str(id_.value), **value}
    if sources:
        spec[sources] = _sources(value.get(sources), sources, body)
    semantic = spec.get("deliverySemantic")
    if isinstance(semantic, dict) and "transactionTimeoutMillis" in semantic:
        rest = {k: v for k, v in semantic.items() if k != "transactionTimeoutMillis"}
        rest["transactionTimeout"] = f"{semantic['transactionTimeoutMillis']}ms"
        spec["deliverySemantic"] = rest
    return Part(today, spec, body)


def _sources(sources: Any, name: str, body: Any) -> list[dict[str, Any]]:
    """Topics or streams, with what today is called valueType."""
    line = lines_of(body).get(name, line_of(body))
    if not isinstance(sources, list):
        raise LineError(line, f"{name}: is a list")
    converted = []
    for source in sources:
        if not isinstance(source, dict) or not isinstance(source.get("typeUrl"), str):
            raise LineError(line, f"each of {name} has typeUrl: and targets:")
        value_type = typename_of_bytes(source["typeUrl"])
        converted.append(
            {("valueType" if k == "typeUrl" else k): v for k, v in source.items()}
            | {"valueType": value_type}
        )
    return converted


# Of one function and its state.


def older_endpoint(typename: str, url: str, states: Iterable[StateSpec]) -> Document:
    """The endpoint of a function at ``url``, with the state that the function declares."""
    names = []
    for spec in states:
        state = {"name": spec.name}
        if spec.mode is not ExpireMode.NONE:
            state["expireAfter"] = f"{spec.expire_after_ms}millisecond"
            state["expireMode"] = next(k for k, v in EXPIRE_MODES.items() if v is spec.mode)
        names.append(state)
    found: dict[str, Any] = {"functions": typename, "urlPathTemplate": url}
    return Document(OLDER_ENDPOINT, found | ({"states": names} if names else {}))


def with_older_endpoints(
    documents: Iterable[Document], states: Mapping[str, Iterable[StateSpec]], url: str
) -> list[Document]:
    """An endpoint at ``url`` for each function of ``states``, and the documents of others."""
    known = list(documents)
    there = {d.spec["functions"] for d in known if d.spec.get("urlPathTemplate") == url}
    lacking = sorted(states.keys() - there)
    own = [older_endpoint(typename, url, states[typename]) for typename in lacking]
    others = [d for d in known if not (d.is_endpoint and d.spec["functions"] in lacking)]
    return own + others


def state_specs(document: Document) -> list[StateSpec]:
    """The state names of an endpoint of 2.x, as the engine keeps them: values are Anys there."""
    specs = []
    for state in document.spec.get("states", ()):
        mode, after = ExpireMode.NONE, 0
        if "expireAfter" in state:
            mode = EXPIRE_MODES[state.get("expireMode", "after-invoke")]
            after = round(seconds(state["expireAfter"]) * 1000)
        specs.append(StateSpec(state["name"], ANY, mode, after))
    return specs


# Writing 2.0.


def write_older(documents: Iterable[Document]) -> str:
    """The text of a module.yaml of version 2.0; a comment names what it has no place for."""
    import yaml  # 12 ms that few notebooks need

    spec: dict[str, list[Any]] = {}
    left = []
    for document in documents:
        if document.kind == OLDER_ENDPOINT:
            spec.setdefault("functions", []).append({"function": _function_of(document)})
        elif (found := _io_of(document)) is not None:
            singular, io = found
            spec.setdefault(f"{singular}es", []).append({singular: io})
        else:
            name = document.spec.get("functions") or document.spec.get("id") or ""
            left.append(f"# There is no such thing in 2.0: {document.kind} {name}".rstrip() + "\n")
    module = {"version": "2.0", "module": {"meta": {"type": "remote"}, "spec": spec}}
    return yaml.safe_dump(module, sort_keys=False) + "".join(left)


def _function_of(document: Document) -> dict[str, Any]:
    rest = dict(document.spec)
    meta = {"kind": "http", "type": rest.pop("functions")}
    spec = {"endpoint": rest.pop("urlPathTemplate")}
    times = rest.pop("timeouts", {})
    return {
        "meta": meta,
        "spec": spec | rest | {old: times[new] for old, new in _TIMEOUTS.items() if new in times},
    }


def _io_of(document: Document) -> tuple[str, dict[str, Any]] | None:
    for singular, kinds in _OF_2.items():
        for older, (today, sources) in kinds.items():
            if today == document.kind:
                spec = dict(document.spec)
                meta = {"type": older, "id": spec.pop("id")}
                if sources:
                    spec[sources] = [_source_of(each) for each in spec[sources]]
                if "transactionTimeout" in (semantic := dict(spec.get("deliverySemantic") or {})):
                    timeout = round(seconds(semantic.pop("transactionTimeout")) * 1000)
                    spec["deliverySemantic"] = {**semantic, "transactionTimeoutMillis": timeout}
                return singular, {"meta": meta, "spec": spec}
    return None


def _source_of(source: dict[str, Any]) -> dict[str, Any]:
    type_url = type_url_of_bytes(str(source.get("valueType", "")))
    rest = {k: v for k, v in source.items() if k not in ("valueType", "targets")}
    return rest | {"typeUrl": type_url, "targets": source.get("targets", [])}
