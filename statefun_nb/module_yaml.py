"""module.yaml: the documents that tell StateFun where functions, ingresses and egresses are.

Read by safe load only; errors name the line. The grammar is that of StateFun 3.x: YAML documents
of ``kind`` and ``spec``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from .address import parse_typename
from .errors import DeclarationError

__all__ = ["Document", "covers", "http_endpoint", "read_module", "write_module"]

ENDPOINT = "io.statefun.endpoints.v2/http"
KAFKA_INGRESS = "io.statefun.kafka.v1/ingress"
KAFKA_EGRESS = "io.statefun.kafka.v1/egress"


class _Fields(NamedTuple):
    required: frozenset[str]
    optional: frozenset[str]


def _fields(required: str, optional: str) -> _Fields:
    return _Fields(frozenset(required.split()), frozenset(optional.split()))


# What each kind's spec may hold.
_KINDS = {
    ENDPOINT: _fields("functions urlPathTemplate", "maxNumBatchRequests transport"),
    "io.statefun.endpoints.v1/http": _fields(
        "functions urlPathTemplate", "maxNumBatchRequests timeouts"
    ),
    KAFKA_INGRESS: _fields(
        "id address topics",
        "consumerGroupId startupPosition autoOffsetResetPosition properties",
    ),
    KAFKA_EGRESS: _fields("id address", "deliverySemantic properties"),
    "io.statefun.kinesis.v1/ingress": _fields(
        "id streams", "awsRegion awsCredentials startupPosition clientConfigProperties"
    ),
    "io.statefun.kinesis.v1/egress": _fields(
        "id", "awsRegion awsCredentials maxOutstandingRecords clientConfigProperties"
    ),
    "io.statefun.playground.v1/ingress": _fields("port", ""),
    "io.statefun.playground.v1/egress": _fields("port topics", ""),
}


class Document(NamedTuple):
    """One document; ``line`` is where it starts, from 1."""

    kind: str
    spec: dict[str, Any]
    line: int = 0

    @property
    def is_endpoint(self) -> bool:
        """Does it say where functions are?"""
        return ".endpoints." in self.kind

    @property
    def is_egress(self) -> bool:
        """Does it declare an egress?"""
        return self.kind.endswith("/egress")


def http_endpoint(functions: str, url: str, max_batch: int = 1000, **transport: Any) -> Document:
    """The endpoint of ``ns/name`` or ``ns/*`` at ``url``; ``transport`` are settings of Netty's."""
    spec: dict[str, Any] = {"functions": functions, "urlPathTemplate": url}
    if max_batch != 1000:  # StateFun's default
        spec["maxNumBatchRequests"] = max_batch
    if transport:
        spec["transport"] = {"type": "io.statefun.transports.v1/async", **transport}
    return Document(ENDPOINT, spec)


def covers(documents: Iterable[Document], typename: str) -> bool:
    """Does an endpoint serve this function type?

    Examples
    --------
    >>> covers([http_endpoint("shop/*", "http://127.0.0.1:8000/statefun")], "shop/cart")
    True
    """
    namespace, _ = parse_typename(typename)
    patterns = {document.spec["functions"] for document in documents if document.is_endpoint}
    return typename in patterns or f"{namespace}/*" in patterns


def write_module(documents: Iterable[Document]) -> str:
    """The text of a module.yaml.

    Examples
    --------
    >>> print(write_module([http_endpoint("shop/*", "http://127.0.0.1:8000/statefun")]), end="")
    kind: io.statefun.endpoints.v2/http
    spec:
      functions: shop/*
      urlPathTemplate: http://127.0.0.1:8000/statefun
    """
    import yaml  # 12 ms that few notebooks need

    texts = (
        yaml.safe_dump({"kind": document.kind, "spec": document.spec}, sort_keys=False)
        for document in documents
    )
    return "---\n".join(texts)


def read_module(text: str) -> list[Document]:
    """Read a module.yaml; empty documents are skipped, as StateFun does.

    Raises
    ------
    DeclarationError
        When it is no YAML, or a document is of no known kind, lacks something, or has something
        that its kind does not know. The message names the line.
    """
    import yaml

    try:
        nodes = list(yaml.compose_all(text, yaml.SafeLoader))
        values = list(yaml.safe_load_all(text))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark is not None else 1
        problem = getattr(error, "problem", None) or error
        raise DeclarationError(f"module.yaml, line {line}: {problem}") from error
    return [
        _document(value, node)
        for value, node in zip(values, nodes, strict=True)
        if value is not None
    ]


def _document(value: Any, node: Any) -> Document:
    lines = _lines(node)
    start = node.start_mark.line + 1
    if not isinstance(value, dict) or not isinstance(value.get("kind"), str):
        raise _error(start, "a document has a kind: and a spec:")
    kind, spec = value["kind"], value.get("spec")
    fields = _KINDS.get(kind)
    if fields is None:
        raise _error(lines["kind"], f"unknown kind {kind!r}; known are {', '.join(_KINDS)}")
    if not isinstance(spec, dict):
        raise _error(start, f"{kind} has no spec:")
    spec_lines = _lines(next(v for k, v in node.value if k.value == "spec"))
    missing = sorted(fields.required - spec.keys())
    if missing:
        raise _error(lines["spec"], f"the spec of {kind} lacks {', '.join(missing)}")
    for key in spec:
        if key not in fields.required | fields.optional:
            known = ", ".join(sorted(fields.required | fields.optional))
            raise _error(spec_lines[key], f"{kind} knows no {key!r}; it has {known}")
    document = Document(kind, spec, start)
    _check_names(document, spec_lines)
    return document


def _check_names(document: Document, lines: dict[str, int]) -> None:
    key = "functions" if document.is_endpoint else "id"
    name = document.spec.get(key)
    if name is None:
        return
    try:
        # ns/* is the only wildcard; as a name, a star is as good as any letter.
        namespace, local = parse_typename(name)
        if "*" in namespace or ("*" in local and (key == "id" or local != "*")):
            raise DeclarationError(f"{name!r}: the only wildcard is 'namespace/*', for functions")
    except DeclarationError as error:
        raise _error(lines[key], str(error)) from error


def _lines(node: Any) -> dict[str, int]:
    pairs = node.value if isinstance(node.value, list) else []
    return {pair[0].value: pair[0].start_mark.line + 1 for pair in pairs if isinstance(pair, tuple)}


def _error(line: int, message: str) -> DeclarationError:
    return DeclarationError(f"module.yaml, line {line}: {message}")
