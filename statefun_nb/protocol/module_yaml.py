"""module.yaml: the documents that tell StateFun where functions, ingresses and egresses are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from ..address import parse_typename
from ..errors import DeclarationError

__all__ = [
    "Document",
    "Setting",
    "Settings",
    "covers",
    "http_endpoint",
    "merged",
    "of_today",
    "refuse_older",
    "serving",
    "with_endpoints",
    "write_module",
]

MODULE_YAML = "module.yaml"
ENDPOINT = "io.statefun.endpoints.v2/http"
OLDER_ENDPOINT = "http"  # of 1.0 and 2.0, and its function answers protocol v2
KAFKA_INGRESS = "io.statefun.kafka.v1/ingress"
KAFKA_PLACE = "{kafka}"  # in a user's module.yaml: the address of the broker
KAFKA_EGRESS = "io.statefun.kafka.v1/egress"
KINESIS_INGRESS = "io.statefun.kinesis.v1/ingress"
KINESIS_EGRESS = "io.statefun.kinesis.v1/egress"
PLAYGROUND_INGRESS = "io.statefun.playground.v1/ingress"
PLAYGROUND_EGRESS = "io.statefun.playground.v1/egress"


class Setting(NamedTuple):
    """Where a setting is, and what it is called there: before 3.0 some had other names."""

    name: str
    line: int


Settings = Mapping[tuple[str, ...], Setting]  # by the names of today that lead to each
_NO_SETTINGS: Settings = {}


class Document(NamedTuple):
    """One document; ``line`` is where it starts, from 1, in the file of that name."""

    kind: str
    spec: dict[str, Any]
    line: int = 0
    file: str = MODULE_YAML
    notes: tuple[str, ...] = ()  # what is in it, and the runtime will ignore
    settings: Settings = _NO_SETTINGS

    @property
    def where(self) -> str:
        """Where it is, for errors."""
        return f"{self.file}, line {self.line}"

    def setting(self, *path: str) -> Setting:
        """Where a setting of it is; where the document begins when that is not known."""
        return self.settings.get(path) or Setting(path[-1], self.line)

    def where_of(self, *path: str) -> str:
        """Where a setting of it is, and its name, for errors."""
        name, line = self.setting(*path)
        return f"{self.file}, line {line}: {name}"

    @property
    def key(self) -> tuple[str, str]:
        """What there is only one of: its role, and its name; a port where it has no name."""
        if self.is_endpoint:
            return "endpoint", str(self.spec["functions"])
        name = self.spec["id"] if "id" in self.spec else f"port {self.spec.get('port')}"
        return self.kind.rpartition("/")[2], str(name)

    @property
    def is_endpoint(self) -> bool:
        """Does it say where functions are?"""
        return ".endpoints." in self.kind or self.kind == OLDER_ENDPOINT

    @property
    def needs_cluster(self) -> bool:
        """Is it what only the real StateFun reads, such as an ingress of Kafka?"""
        return not (self.is_endpoint or self.is_egress or self.kind == PLAYGROUND_INGRESS)

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
    return serving(documents, typename) is not None


def serving(documents: Iterable[Document], typename: str) -> Document | None:
    """The endpoint that serves a function type; ``ns/name`` wins over ``ns/*``.

    Examples
    --------
    >>> shop = http_endpoint("shop/*", "http://a"), http_endpoint("shop/cart", "http://b")
    >>> serving(shop, "shop/cart").spec["urlPathTemplate"]
    'http://b'
    """
    namespace, _ = parse_typename(typename)
    rules = {document.spec["functions"]: document for document in documents if document.is_endpoint}
    return rules.get(typename) or rules.get(f"{namespace}/*")


def merged(known: Iterable[Document], new: Iterable[Document]) -> list[Document]:
    """Both; a new one takes the place of a known one of the same name.

    Examples
    --------
    >>> known = [http_endpoint("a/*", "http://1"), http_endpoint("b/*", "http://1")]
    >>> [d.spec["urlPathTemplate"] for d in merged(known, [http_endpoint("a/*", "http://2")])]
    ['http://2', 'http://1']
    """
    documents = {document.key: document for document in known}
    documents.update((document.key, document) for document in new)
    return [*documents.values()]


def of_today(document: Document) -> Document:
    """The document as StateFun 3.x has it; an endpoint of 2.x has to answer protocol v3 then."""
    if document.kind != OLDER_ENDPOINT:
        return document
    spec = {key: value for key, value in document.spec.items() if key != "states"}
    return document._replace(kind="io.statefun.endpoints.v1/http", spec=spec)


def refuse_older(documents: Iterable[Document]) -> None:
    """Raise for what a cluster of StateFun 3.x cannot call.

    Raises
    ------
    DeclarationError
        For an endpoint of 2.x.
    """
    for document in documents:
        if document.kind == OLDER_ENDPOINT:
            raise DeclarationError(
                f"{document.where}: {document.spec['functions']} is an endpoint of StateFun 2.x, "
                "and the cluster is of 3.x: `statefun-nb module convert` writes it as one of "
                "today, when it answers protocol v3"
            )


def write_module(documents: Iterable[Document]) -> str:
    """The text of a module.yaml; a comment names the endpoints of 2.x, which have no place in it.

    Examples
    --------
    >>> print(write_module([http_endpoint("shop/*", "http://127.0.0.1:8000/statefun")]), end="")
    kind: io.statefun.endpoints.v2/http
    spec:
      functions: shop/*
      urlPathTemplate: http://127.0.0.1:8000/statefun
    """
    import yaml  # 12 ms that few notebooks need

    texts, left = [], ""
    for document in documents:
        if document.kind == OLDER_ENDPOINT:
            spec = document.spec
            left += (
                f"# Left out, as an endpoint of StateFun 2.x: {spec['functions']} at "
                f"{spec['urlPathTemplate']!r}\n"
            )
        else:
            parts = {"kind": document.kind, "spec": document.spec}
            texts.append(yaml.safe_dump(parts, sort_keys=False))
    return "---\n".join(texts) + left


def with_endpoints(documents: list[Document], functions: Iterable[str], url: str) -> list[Document]:
    """The documents, and endpoints at ``url`` for the functions that none of them serves.

    One for each namespace, or for each function where others serve the rest of its namespace.
    Endpoints of 2.x serve nothing here: see ``write_module``.
    """
    patterns = {
        document.spec["functions"]: document
        for document in documents
        if document.is_endpoint and document.kind != OLDER_ENDPOINT
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
