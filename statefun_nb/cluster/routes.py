"""Where a real cluster can deliver to, checked before it sees an effect.

A message to a function type that no endpoint covers, or a record for an egress that module.yaml
does not declare, fails the whole job, and fails it again after each restart. Here the first is an
error of the function that sent it, and the second goes out through an egress of ours.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from ..address import SdkAddress
from ..errors import EngineError, expiration_is_kept, token_is_pending, type_is_kept
from ..protocol.effects import StateSpec, TypedValue
from ..protocol.egresses import Egresses
from ..protocol.module_yaml import Document, covers, serving
from ..protocol.records import EGRESS_TOPIC, KAFKA_RECORD, KafkaRecord, encode_kafka_record
from ..protocol.wire import typed_value_bytes
from ..sdk.value_spec import ValueSpec

__all__ = ["EGRESS", "ClusterRoutes"]

EGRESS = "statefun_nb/egress"


class ClusterRoutes:
    """The routes of one session on a real cluster.

    Parameters
    ----------
    pending : callable
        Is a delayed message of that address pending under that token?
    """

    def __init__(self, pending: Callable[[SdkAddress, str], bool]) -> None:
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

    def leads_to(self, typename: str, url: str) -> bool:
        """Do messages for that function type come to the endpoint at ``url``, always the same?"""
        led = self._led.get(typename)
        if led is None:
            found = serving(self._documents, typename)
            led = found is not None and found.spec["urlPathTemplate"] == url
            self._led[typename] = led
        return led

    def has_other_than(self, url: str) -> bool:
        """Does another endpoint than that at ``url`` serve functions, too?"""
        return any(d.is_endpoint and d.spec["urlPathTemplate"] != url for d in self._documents)

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
            )

    def check_token(self, owner: SdkAddress, token: str) -> None:
        """Raise when a delayed message of ``owner`` is known to be pending under this token."""
        if self._pending(owner, token):
            raise EngineError(token_is_pending(owner, token))

    def check_state(self, typename: str, specs: Mapping[str, ValueSpec]) -> None:
        """Raise when a state name was another: the cluster keeps its first type and expiration."""
        if self._agreed.get(typename) is specs:  # asked for each request
            return
        for name, spec in specs.items():
            wanted = spec.wire_spec()
            known = self._state_specs.setdefault((typename, name), wanted)
            if known.typename != wanted.typename:
                raise EngineError(type_is_kept(typename, name, known.typename, wanted.typename))
            if known != wanted:
                raise EngineError(
                    expiration_is_kept(typename, name, known.expiration, wanted.expiration)
                )
        self._agreed[typename] = specs

    def egress(self, typename: str, value: TypedValue, topic: str | None) -> tuple[str, TypedValue]:
        """The record as it goes to Kafka; as it stands where module.yaml declares its egress."""
        self._egresses.check(typename, value, topic)
        declared = typename in self._egresses
        if value.typename != KAFKA_RECORD and not declared:
            record = KafkaRecord(EGRESS_TOPIC, typename, typed_value_bytes(value))
            value = TypedValue(KAFKA_RECORD, encode_kafka_record(record))
        return (typename if declared else EGRESS), value
