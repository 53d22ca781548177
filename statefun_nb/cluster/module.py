"""The module.yaml of a session on a real cluster: the user's, and what is added to it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..address import GATEWAY
from ..errors import EngineError
from ..protocol.effects import StateSpec
from ..protocol.module_yaml import (
    PLAYGROUND_EGRESS,
    PLAYGROUND_INGRESS,
    Document,
    merged,
    serving,
)
from .module_forms import ModuleForm, Specs

__all__ = ["SessionModule"]

_OWN_NAMESPACE = "statefun_nb"


class SessionModule:
    """What is loaded, and what is to be deployed for it and the functions that are declared.

    What is declared in the session is served by it, as on the embedded engine: by an endpoint of
    ``namespace/*``, so that a function of a later cell is found, too; where a document of the
    user's serves the rest of its namespace, and in StateFun 2.x, by one for each function.

    Parameters
    ----------
    form : ModuleForm
        How such a module.yaml is written.
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
        form: ModuleForm,
        urls: Sequence[str],
        gateway: Sequence[Document],
        through: Callable[[Document], Document],
        *,
        max_batch: int,
        call: str,
    ) -> None:
        self._form = form
        self._url = urls[0]
        self._urls = urls
        self._through = through
        self._max_batch = max_batch
        self._call = call
        self._gateway = gateway
        # Messages to those that were declared may be under way, and their state may be there.
        self._rules = {form.rule(GATEWAY)}
        self._states: dict[str, dict[str, StateSpec]] = {}
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

    def documents(self, functions: Specs) -> list[Document]:
        """The module.yaml of these functions, with each endpoint at its own address."""
        elsewhere = self._elsewhere()
        kept = [d for d in self.users if not d.is_endpoint or d.spec["functions"] not in functions]
        mine = {document.spec["functions"] for document in kept if document.is_endpoint}
        mine -= elsewhere  # the user's own words for this endpoint
        rules = self._rules - elsewhere
        for typename in functions:
            rule = self._form.rule(typename)
            rules.add(typename if rule in elsewhere else rule)
        added = [self._own(rule, functions) for rule in sorted(rules - mine)]
        return [*added, *kept, *self._gateway]

    def _elsewhere(self) -> set[str]:
        """The rules of the user's documents that lead to others."""
        endpoints = (document.spec for document in self.users if document.is_endpoint)
        return {spec["functions"] for spec in endpoints if spec["urlPathTemplate"] != self._url}

    def _own(self, rule: str, functions: Specs) -> Document:
        """The document of a rule, ``namespace/*`` or ``namespace/name``, for the endpoint."""
        declared = {spec.name: spec for spec in functions.get(rule, ())}
        states = {**declared, **self._states.get(rule, {})}  # the cluster keeps the first, too
        return self._form.endpoint(rule, self._url, states.values(), self._max_batch, self._call)

    def deployed(self, functions: Specs) -> list[Document]:
        """The same as it is deployed."""
        elsewhere = self._elsewhere()
        for typename, specs in functions.items():
            if (rule := self._form.rule(typename)) not in elsewhere:
                self._rules.add(rule)
            known = self._states.setdefault(typename, {})
            known.update((spec.name, spec) for spec in specs if spec.name not in known)
        return [self._through(document) for document in self.documents(functions)]

    def lacks(self, deployed: Sequence[Document], functions: Specs) -> list[str]:
        """Which rules have to be deployed so that these functions are served by the session."""
        if all(self._serves(serving(deployed, each), specs) for each, specs in functions.items()):
            return []
        wanted = (d for d in self.deployed(functions) if d.is_endpoint and d not in deployed)
        return sorted(document.spec["functions"] for document in wanted)

    def _serves(self, document: Document | None, specs: Sequence[StateSpec]) -> bool:
        """Does a document lead to this endpoint, with all of this state?"""
        if document is None or document.spec["urlPathTemplate"] not in self._urls:
            return False
        known = self._form.states(document)
        return known is None or {spec.name for spec in specs} <= {spec.name for spec in known}
