"""What the spec of each kind of document may hold."""

from __future__ import annotations

from typing import NamedTuple

from .module_yaml import (
    ENDPOINT,
    KAFKA_EGRESS,
    KAFKA_INGRESS,
    KINESIS_EGRESS,
    KINESIS_INGRESS,
    OLDER_ENDPOINT,
    PLAYGROUND_EGRESS,
    PLAYGROUND_INGRESS,
)

__all__ = ["FIELDS", "KINDS", "Fields", "names_of"]


class Fields(NamedTuple):
    """Names of what is in a spec."""

    required: frozenset[str]
    optional: frozenset[str]


def _fields(required: str, optional: str) -> Fields:
    return Fields(frozenset(required.split()), frozenset(optional.split()))


# What each kind's spec may hold.
KINDS = {
    ENDPOINT: _fields("functions urlPathTemplate", "maxNumBatchRequests transport"),
    "io.statefun.endpoints.v1/http": _fields(
        "functions urlPathTemplate", "maxNumBatchRequests timeouts"
    ),
    KAFKA_INGRESS: _fields(
        "id address topics",
        "consumerGroupId startupPosition autoOffsetResetPosition properties",
    ),
    KAFKA_EGRESS: _fields("id address", "deliverySemantic properties"),
    KINESIS_INGRESS: _fields(
        "id streams", "awsRegion awsCredentials startupPosition clientConfigProperties"
    ),
    KINESIS_EGRESS: _fields(
        "id", "awsRegion awsCredentials maxOutstandingRecords clientConfigProperties"
    ),
    PLAYGROUND_INGRESS: _fields("port", ""),
    PLAYGROUND_EGRESS: _fields("port topics", ""),
}

# And what documents of older modules hold.
FIELDS = {
    **KINDS,
    OLDER_ENDPOINT: _fields("functions urlPathTemplate", "maxNumBatchRequests timeouts states"),
}


def names_of(kind: str) -> frozenset[str]:
    """All that the spec of a kind may hold."""
    return FIELDS[kind].required | FIELDS[kind].optional
