"""The way of messages from outside into a real cluster: a Kafka topic and a gateway function."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from ..address import GATEWAY
from ..protocol.envelope import decode_envelope
from ..protocol.module_yaml import KAFKA_EGRESS, KAFKA_INGRESS, Document
from ..sdk.context import Context
from ..sdk.messages import Message, received_message
from ..sdk.registry import StatefulFunctions
from .kafka import BROKER_BYTES
from .routes import EGRESS

__all__ = ["MESSAGES_TOPIC", "gateway_documents", "gateway_functions"]

MESSAGES_TOPIC = "statefun_nb.messages"


def gateway_functions() -> StatefulFunctions:
    """The gateway: opens an envelope, and sends what is in it on."""
    functions = StatefulFunctions()

    @functions.bind(GATEWAY)
    def gateway(context: Context, message: Message) -> None:
        envelope = decode_envelope(message.raw_value() or b"")
        target = envelope.target
        sent = received_message(target.typename, target.id, envelope.argument)
        if envelope.delay_ms:
            context.send_after(timedelta(milliseconds=envelope.delay_ms), sent)
        else:
            context.send(sent)

    return functions


def gateway_documents(bootstrap_servers: str, group: str, delivery: str) -> list[Document]:
    """What module.yaml says of it, and of the egress for records that it declares no egress for."""
    ingress = {
        "id": "statefun_nb/messages",
        "address": bootstrap_servers,
        "consumerGroupId": group,
        "startupPosition": {"type": "earliest"},
        "topics": [
            {
                "topic": MESSAGES_TOPIC,
                "valueType": "statefun_nb/envelope",
                "targets": [GATEWAY],
            }
        ],
    }
    egress: dict[str, Any] = {
        "id": EGRESS,
        "address": bootstrap_servers,
        "deliverySemantic": {"type": delivery},
        "properties": [
            {"max.request.size": str(BROKER_BYTES)},
            {"buffer.memory": str(2 * BROKER_BYTES)},
        ],
    }
    if delivery == "exactly-once":
        egress["deliverySemantic"] = {"type": delivery, "transactionTimeout": "10min"}
    return [Document(KAFKA_INGRESS, ingress), Document(KAFKA_EGRESS, egress)]
