"""Where a real cluster can deliver to, checked before it sees an effect.

A message to a function type that no endpoint covers, or a record for an egress that module.yaml
does not declare, fails the whole job, and fails it again after each restart. Here the first is an
error of the function that sent it, and the second goes out through an egress of ours.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

from ..address import SdkAddress
from ..engine.mailbox import check_target
from ..errors import (
    EngineError,
    expiration_is_kept,
    never_declared,
    token_is_pending,
    type_is_kept,
)
from ..protocol.effects import Reply, StateSpec, TypedValue
from ..protocol.egresses import Egresses
from ..protocol.module_yaml import Document, covers, serving
from ..protocol.records import EGRESS_TOPIC, KAFKA_RECORD, KafkaRecord, encode_kafka_record
from ..protocol.v3 import decode_typed_value
from ..protocol.wire import typed_value_bytes
from ..sdk.value_spec import ValueSpec

__all__ = ["EGRESS", "ClusterRoutes"]

EGRESS = "statefun_nb/egress"


class ClusterRoutes:
    """The routes of one session on a real cluster.

    Parameters
    ----------
    urls : collection of str
        Of this endpoint.
    pending : callable
        Is a delayed message of that address pending under that token?
    meant_by : callable
        What may have been meant by the typename of no function, at the end of a sentence.
    """

    def __init__(
        self,
        urls: Collection[str],
        pending: Callable[[SdkAddress, str], bool],
        meant_by: Callable[[str], str],
    ) -> None:
        self._meant_by = meant_by
        self._urls = urls
        self._pending = pending
        self._documents: Sequence[Document] = ()
        self._egresses = Egresses()
        self._reached: dict[str, bool] = {}  # asked for each message that is sent
        self._led: dict[str, bool] = {}
        self._state_specs: dict[tuple[str, str], StateSpec] = {}
        self._agreed: dict[str, Mapping[str, ValueSpec]] = {}

    @property
    def documents(self) -> Sequence[Document]:
        """The module.yaml that is deployed."""
        return self._documents

    @documents.setter
    def documents(self, documents: Sequence[Document]) -> None:
        self._documents = documents
        self._egresses = Egresses(documents)
        self._reached, self._led = {}, {}

    def leads_here(self, typename: str) -> bool:
        """Do messages for that function type come to this endpoint?"""
        led = self._led.get(typename)
        if led is None:
            found = serving(self._documents, typename)
            led = found is not None and found.spec["urlPathTemplate"] in self._urls
            self._led[typename] = led
        return led

    @property
    def lead_elsewhere(self) -> bool:
        """Does the cluster call other endpoints, too?"""
        urls = (d.spec["urlPathTemplate"] for d in self._documents if d.is_endpoint)
        return any(url not in self._urls for url in urls)

    def reaches(self, typename: str) -> bool:
        """Does the cluster know an endpoint for that function type?"""
        reached = self._reached.get(typename)
        if reached is None:
            reached = self._reached[typename] = covers(self._documents, typename)
        return reached

    def check_target(self, typename: str) -> None:
        """Raise when the cluster knows no endpoint for that function type."""
        if not self.reaches(typename):
            raise EngineError(
                f"no endpoint of the cluster serves {typename!r}, and a message to it would fail "
                "the whole job: correct the name, or run the cell that declares it"
                f"{self._meant_by(typename)}"
            )

    def check_token(self, owner: SdkAddress, token: str) -> None:
        """Raise when a delayed message of ``owner`` is known to be pending under this token."""
        if self._pending(owner, token):
            raise EngineError(token_is_pending(owner, token))

    def check_state(self, typename: str, specs: Mapping[str, ValueSpec]) -> None:
        """Raise when a state name was another: the cluster keeps its first type and expiration."""
        if self._agreed.get(typename) is specs:  # asked for each request
            return
        for spec in specs.values():
            self._check_spec(typename, spec.wire_spec())
        self._agreed[typename] = specs

    def _check_spec(self, typename: str, wanted: StateSpec) -> None:
        self._state_specs.setdefault((typename, wanted.name), wanted)
        if problem := self.kept_otherwise(typename, [wanted]):
            raise EngineError(problem)

    def kept_otherwise(self, typename: str, specs: Sequence[StateSpec]) -> str:
        """Why the cluster would not take these specs; "" when it would, as far as is known."""
        for wanted in specs:
            known = self._state_specs.get((typename, wanted.name), wanted)
            if known.typename != wanted.typename:
                return type_is_kept(typename, wanted.name, known.typename, wanted.typename)
            if known != wanted:
                return expiration_is_kept(
                    typename, wanted.name, known.expiration, wanted.expiration
                )
        return ""

    def check_reply(self, owner: SdkAddress, state: Collection[str], reply: Reply) -> None:
        """Raise for a reply of another process that would fail the job.

        Parameters
        ----------
        owner : SdkAddress
            Whose reply it is.
        state : collection of str
            The state names that the cluster knows of it.
        """
        typename = owner.typename
        for spec in reply.missing or ():
            self._check_spec(typename, spec)
        for name, value in reply.mutations:
            if name not in state:
                raise EngineError(never_declared(typename, name))
            known = self._state_specs.get((typename, name))
            if known and value and known.typename != value.typename:
                raise EngineError(type_is_kept(typename, name, known.typename, value.typename))
        for message in reply.messages:
            check_target(typename, message.target)
            self.check_target(message.target.typename)
        for emit in reply.egress:
            self.egress(emit.egress, decode_typed_value(emit.argument), None)

    def egress(self, typename: str, value: TypedValue, topic: str | None) -> tuple[str, TypedValue]:
        """The record as it goes to Kafka; as it stands where module.yaml declares its egress."""
        self._egresses.check(typename, value, topic)
        declared = typename in self._egresses
        if value.typename != KAFKA_RECORD and not declared:
            record = KafkaRecord(EGRESS_TOPIC, typename, typed_value_bytes(value))
            value = TypedValue(KAFKA_RECORD, encode_kafka_record(record))
        return (typename if declared else EGRESS), value
