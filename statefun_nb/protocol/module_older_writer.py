"""Writing a module.yaml of StateFun 2.x, and what it says of a function and its state."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .any_values import ANY, type_url_of_bytes
from .durations import seconds
from .effects import ExpireMode, StateSpec
from .module_older import EXPIRE_MODES, OF_2, TIMEOUTS
from .module_yaml import OLDER_ENDPOINT, Document

__all__ = ["older_endpoint", "state_specs", "with_older_endpoints", "write_older"]


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
        "spec": spec | rest | {old: times[new] for old, new in TIMEOUTS.items() if new in times},
    }


def _io_of(document: Document) -> tuple[str, dict[str, Any]] | None:
    for singular, kinds in OF_2.items():
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
