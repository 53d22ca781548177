"""module.yaml: the documents that tell StateFun where functions, ingresses and egresses are.

Read by safe load only; errors name the line. The grammar is that of StateFun 3.x: YAML documents
of ``kind`` and ``spec``; that of 3.0, one document of ``version`` and ``module``, is read, too, and
becomes documents of the newer kind.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from ..address import parse_typename
from ..errors import DeclarationError

__all__ = [
    "Document",
    "covers",
    "http_endpoint",
    "read_module",
    "read_source",
    "with_endpoints",
    "write_module",
]

MODULE_YAML = "module.yaml"
ENDPOINT = "io.statefun.endpoints.v2/http"
KAFKA_INGRESS = "io.statefun.kafka.v1/ingress"
KAFKA_PLACE = "{kafka}"  # in a user's module.yaml: the address of the broker
KAFKA_EGRESS = "io.statefun.kafka.v1/egress"
PLAYGROUND_INGRESS = "io.statefun.playground.v1/ingress"
PLAYGROUND_EGRESS = "io.statefun.playground.v1/egress"


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
    PLAYGROUND_INGRESS: _fields("port", ""),
    PLAYGROUND_EGRESS: _fields("port topics", ""),
}


class Document(NamedTuple):
    """One document; ``line`` is where it starts, from 1, in the file of that name."""

    kind: str
    spec: dict[str, Any]
    line: int = 0
    file: str = MODULE_YAML

    @property
    def where(self) -> str:
        """Where it is, for errors."""
        return f"{self.file}, line {self.line}"

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


def read_source(source: str | Path, broker: str = "") -> list[Document]:
    """``read_module`` of a path, or of a text of several lines.

    ``{kafka}`` in it stands for the address of a cluster's broker, where there is one.

    Raises
    ------
    DeclarationError
        As ``read_module``, with the name of the file.
    OSError, ValueError
        When there is no such file, or it is not UTF-8.
    """
    is_text = isinstance(source, str) and "\n" in source
    text = str(source) if is_text else Path(source).read_text(encoding="utf-8")
    file = MODULE_YAML if is_text else Path(source).name
    return read_module(text.replace(KAFKA_PLACE, broker) if broker else text, file)


def with_endpoints(documents: list[Document], functions: Iterable[str], url: str) -> list[Document]:
    """The documents, and endpoints at ``url`` for the functions that none of them serves.

    One for each namespace, or for each function where others serve the rest of its namespace.
    """
    patterns = {
        document.spec["functions"]: document for document in documents if document.is_endpoint
    }
    added: dict[str, None] = {}
    for typename in sorted(functions):
        everything = f"{typename.partition('/')[0]}/*"
        if typename in patterns:
            continue
        if everything not in patterns:
            added[everything] = None
        elif patterns[everything].spec["urlPathTemplate"] != url:
            added[typename] = None
    return [http_endpoint(pattern, url) for pattern in added] + documents


def read_module(text: str, file: str = MODULE_YAML) -> list[Document]:
    """Read a module.yaml; empty documents are skipped, as StateFun does.

    Parameters
    ----------
    text : str
    file : str
        What errors call it.

    Raises
    ------
    DeclarationError
        When it is no YAML, or a document is of no known kind, lacks something, or has something
        that its kind does not know. The message names the line.
    """
    try:
        return [document._replace(file=file) for document in _documents(text)]
    except _LineError as wrong:
        raise DeclarationError(f"{file}, line {wrong.line}: {wrong}") from wrong.__cause__


class _LineError(Exception):
    """What is wrong in a line."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line


def _documents(text: str) -> list[Document]:
    import yaml

    try:
        nodes = list(yaml.compose_all(text, yaml.SafeLoader))
        values = list(yaml.safe_load_all(text))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark is not None else 1
        problem = getattr(error, "problem", None) or error
        raise _LineError(line, str(problem)) from error
    documents: list[Document] = []
    for value, node in zip(values, nodes, strict=True):
        if isinstance(value, dict) and "module" in value:
            documents += _documents_of_3_0(node)
        elif value is not None:
            documents.append(_document(value, node))
    return documents


# Where a module of version 3.0 has its parts, and what their kinds became.
_PARTS = (("endpoints", "endpoint"), ("ingresses", "ingress"), ("egresses", "egress"))
_NEWER = {
    "http": "io.statefun.endpoints.v1/http",
    "io.statefun.kafka/ingress": KAFKA_INGRESS,
    "io.statefun.kafka/egress": KAFKA_EGRESS,
    "io.statefun.kinesis/ingress": "io.statefun.kinesis.v1/ingress",
    "io.statefun.kinesis/egress": "io.statefun.kinesis.v1/egress",
}


def _documents_of_3_0(node: Any) -> list[Document]:
    """Each endpoint, ingress and egress as the document that it would be today."""
    module = _child(node, "module", "the document")
    version = str(_child(node, "version", "the document").value)
    if version != "3.0":
        raise _LineError(_line(node), f"version {version!r} is not known, only '3.0' is")
    spec = _child(module, "spec", "module")
    documents = []
    for plural, singular in _PARTS:
        found = dict(_pairs(spec)).get(plural)
        for item in found.value if found is not None else ():
            part = _child(item, singular, plural)
            meta = {key: str(value.value) for key, value in _pairs(_child(part, "meta", singular))}
            old = meta.get("kind") or meta.get("type")
            if old not in _NEWER:
                known = ", ".join(_NEWER)
                raise _LineError(_line(part), f"unknown {old!r}; known are {known}")
            body = _child(part, "spec", singular)
            value = _value(body)
            if "id" in meta:
                value = {"id": meta["id"], **value}
            documents.append(
                _checked(Document(_NEWER[old], value, _line(body)), _lines(body), body)
            )
    return documents


def _child(node: Any, key: str, where: str) -> Any:
    found = dict(_pairs(node)).get(key)
    if found is None:
        raise _LineError(_line(node), f"{where} has no {key}:")
    return found


def _pairs(node: Any) -> list[tuple[str, Any]]:
    pairs = node.value if isinstance(node.value, list) else []
    return [(pair[0].value, pair[1]) for pair in pairs if isinstance(pair, tuple)]


def _line(node: Any) -> int:
    return int(node.start_mark.line) + 1


def _value(node: Any) -> Any:
    """What a node stands for, by the safe constructor."""
    import yaml

    return yaml.safe_load(yaml.serialize(node))


def _document(value: Any, node: Any) -> Document:
    lines = _lines(node)
    start = _line(node)
    if not isinstance(value, dict) or not isinstance(value.get("kind"), str):
        raise _LineError(start, "a document has a kind: and a spec:")
    kind, spec = value["kind"], value.get("spec")
    fields = _KINDS.get(kind)
    if fields is None:
        raise _LineError(lines["kind"], f"unknown kind {kind!r}; known are {', '.join(_KINDS)}")
    if not isinstance(spec, dict):
        raise _LineError(start, f"{kind} has no spec:")
    spec_lines = _lines(next(v for k, v in node.value if k.value == "spec"))
    return _checked(Document(kind, spec, start), spec_lines, node)


def _checked(document: Document, lines: dict[str, int], node: Any) -> Document:
    """The document, when its spec has all that its kind needs, and nothing else."""
    kind, spec, start = document.kind, document.spec, document.line
    fields = _KINDS[kind]
    missing = sorted(fields.required - spec.keys())
    if missing:
        line = _lines(node).get("spec", start)
        raise _LineError(line, f"the spec of {kind} lacks {', '.join(missing)}")
    for key in spec:
        if key not in fields.required | fields.optional:
            known = ", ".join(sorted(fields.required | fields.optional))
            raise _LineError(lines.get(key, start), f"{kind} knows no {key!r}; it has {known}")
    _check_names(document, lines)
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
        raise _LineError(lines.get(key, document.line), str(error)) from error


def _lines(node: Any) -> dict[str, int]:
    pairs = node.value if isinstance(node.value, list) else []
    return {pair[0].value: _line(pair[0]) for pair in pairs if isinstance(pair, tuple)}
