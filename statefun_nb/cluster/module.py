"""The module.yaml of a session on a real cluster: the user's, and what is added to it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from ..errors import EngineError
from ..protocol.egresses import LARGEST_EXCHANGE
from ..protocol.module_yaml import (
    PLAYGROUND_EGRESS,
    PLAYGROUND_INGRESS,
    Document,
    http_endpoint,
    merged,
    serving,
)

__all__ = ["SessionModule"]

_OWN_NAMESPACE = "statefun_nb"


class SessionModule:
    """What is loaded, and what is to be deployed for it and the functions that are declared.

    What is declared in the session is served by it, as on the embedded engine: by an endpoint of
    ``namespace/*``, so that a function of a later cell is found, too; where a document of the
    user's serves the rest of its namespace, by one for each function.

    Parameters
    ----------
    urls : sequence of str
        Of the session's endpoint: the first for what it serves, and one for what it hands on.
    gateway : sequence of Document
        The way in and the way out that each session has.
    through : callable
        Gives a document as it is deployed: what others serve may be called through the endpoint.
    max_batch, call : int, str
        How many messages a request to the endpoint has at most, and how long the cluster waits.
    """

    def __init__(
        self,
        urls: Sequence[str],
        gateway: Sequence[Document],
        through: Callable[[Document], Document],
        *,
        max_batch: int,
        call: str,
    ) -> None:
        self._url = urls[0]
        self._urls = urls
        self._through = through
        self._max_batch = max_batch
        self._call = call
        self._gateway = gateway
        self._namespaces = {_OWN_NAMESPACE}  # messages to those that were declared may be under way
        self.users: list[Document] = []

    def with_loaded(self, documents: Sequence[Document]) -> list[Document]:
        """The user's documents with these: one of a name that was known replaces the former.

        Raises
        ------
        EngineError
            When the real StateFun has no such thing, or a name is the session's own.
        """
        for document in documents:
            if document.kind in (PLAYGROUND_INGRESS, PLAYGROUND_EGRESS):
                raise EngineError(
                    f"{document.where}: the real StateFun reads no {document.kind}; it needs "
                    'engine="embedded"'
                )
            _, name = document.key
            if name.startswith(f"{_OWN_NAMESPACE}/"):
                raise EngineError(
                    f"{document.where}: {name} is what the session itself needs and declares: "
                    "leave it out"
                )
        return merged(self.users, documents)

    def documents(self, functions: Iterable[str]) -> list[Document]:
        """The module.yaml of these functions, with each endpoint at its own address."""
        declared = sorted(functions)
        elsewhere = {
            document.spec["functions"]
            for document in self.users
            if document.is_endpoint and document.spec["urlPathTemplate"] != self._url
        }
        mine = {document.spec["functions"] for document in self.users if document.is_endpoint}
        mine -= elsewhere  # the user's own words for this endpoint
        rules = {f"{namespace}/*" for namespace in self._namespaces} - elsewhere
        for typename in declared:
            namespace = typename.partition("/")[0]
            everything = f"{namespace}/*"
            if everything in elsewhere:
                rules.add(typename)
            else:
                self._namespaces.add(namespace)
                rules.add(everything)
        kept = [d for d in self.users if not d.is_endpoint or d.spec["functions"] not in declared]
        added = [self._own(rule) for rule in sorted(rules - mine)]
        return [*added, *kept, *self._gateway]

    def _own(self, rule: str) -> Document:
        """The document of a rule, ``namespace/*`` or ``namespace/name``, for the endpoint."""
        return http_endpoint(
            rule, self._url, self._max_batch, call=self._call, payload_max_bytes=LARGEST_EXCHANGE
        )

    def deployed(self, functions: Iterable[str]) -> list[Document]:
        """The same as it is deployed."""
        return [self._through(document) for document in self.documents(functions)]

    def lacks(self, deployed: Sequence[Document], functions: Iterable[str]) -> list[str]:
        """Which rules have to be deployed so that these functions are served by the session."""
        typenames = list(functions)
        if all(self._is_own(serving(deployed, typename)) for typename in typenames):
            return []
        wanted = (d for d in self.deployed(typenames) if d.is_endpoint and d not in deployed)
        return sorted(document.spec["functions"] for document in wanted)

    def _is_own(self, document: Document | None) -> bool:
        return document is not None and document.spec["urlPathTemplate"] in self._urls
