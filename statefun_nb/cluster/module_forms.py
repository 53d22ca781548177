"""What a module.yaml says of functions: StateFun 3.x by namespace, and 2.x one by one.

======================  ==========================  ======================================
what                    3.x                         2.x
======================  ==========================  ======================================
an endpoint covers      ``namespace/*``             one function
states                  asked for by the runtime    stand there, with when they expire
protocol                v3                          v2, at a path of its own
======================  ==========================  ======================================
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from ..endpoint.server import Endpoint
from ..errors import EngineError
from ..protocol.effects import StateSpec
from ..protocol.egresses import LARGEST_EXCHANGE
from ..protocol.module_older_writer import older_endpoint, state_specs, write_older
from ..protocol.module_yaml import (
    OLDER_ENDPOINT,
    Document,
    http_endpoint,
    refuse_older,
    write_module,
)

__all__ = ["FormOf2", "FormOf3", "ModuleForm", "Specs"]

# The state that functions declare, by typename.
Specs = Mapping[str, Sequence[StateSpec]]


class ModuleForm(Protocol):
    """How one version writes and reads what a session says in module.yaml."""

    @property
    def version(self) -> str | None:
        """What a user calls it; None for today's."""

    def urls(self, endpoint: Endpoint) -> tuple[str, str]:
        """Where the endpoint takes its requests: for what it serves, and for what it hands on."""

    def rule(self, typename: str) -> str:
        """What a document covers that is written for this function."""

    def endpoint(
        self, rule: str, url: str, states: Iterable[StateSpec], max_batch: int, call: str
    ) -> Document:
        """The document of a rule; ``call`` is how long the cluster waits for an answer."""

    def states(self, document: Document) -> Sequence[StateSpec] | None:
        """The states that a document knows; None: the runtime asks for them."""

    def refuse(self, documents: Iterable[Document]) -> None:
        """Raise for documents of the other version."""

    def write(self, documents: Iterable[Document]) -> str:
        """The text of a module.yaml."""


class FormOf3:
    """Of StateFun 3.x."""

    version = None

    def urls(self, endpoint: Endpoint) -> tuple[str, str]:
        return endpoint.url, endpoint.url_remote

    def rule(self, typename: str) -> str:
        return f"{typename.partition('/')[0]}/*"

    def endpoint(
        self,
        rule: str,
        url: str,
        states: Iterable[StateSpec],  # noqa: ARG002 - the runtime asks for them
        max_batch: int,
        call: str,
    ) -> Document:
        return http_endpoint(rule, url, max_batch, call=call, payload_max_bytes=LARGEST_EXCHANGE)

    def states(self, document: Document) -> None:  # noqa: ARG002 - none are there
        return None

    def refuse(self, documents: Iterable[Document]) -> None:
        refuse_older(documents)

    def write(self, documents: Iterable[Document]) -> str:
        return write_module(documents)


class FormOf2:
    """Of StateFun 2.x."""

    version = "2.0"

    def urls(self, endpoint: Endpoint) -> tuple[str, str]:
        return endpoint.url_v2, endpoint.url_remote_v2

    def rule(self, typename: str) -> str:
        return typename

    def endpoint(
        self, rule: str, url: str, states: Iterable[StateSpec], max_batch: int, call: str
    ) -> Document:
        found = older_endpoint(rule, url, states)
        # A request that is held has no byte of an answer: the call's time alone counts. What is
        # less than a millisecond is no limit to the runtime's client (0 is refused), which keeps
        # those that it has in a list that it walks, under one lock for all requests.
        timeouts = {"call": call, "read": "1ns", "write": "1ns"}
        found.spec.update(maxNumBatchRequests=max_batch, timeouts=timeouts)
        return found

    def states(self, document: Document) -> Sequence[StateSpec]:
        return state_specs(document)

    def refuse(self, documents: Iterable[Document]) -> None:
        for document in documents:
            if document.is_endpoint and document.kind != OLDER_ENDPOINT:
                raise EngineError(
                    f"{document.where}: {document.spec['functions']} is an endpoint of StateFun "
                    '3.x, and the cluster is of 2.2.2: write it as version: "2.0" has it, if it '
                    "answers protocol v2"
                )

    def write(self, documents: Iterable[Document]) -> str:
        return write_older(documents)
