"""Bodies that chance has changed: each is answered as protobuf's own parser says."""

from __future__ import annotations

from benchmarks.storms.bodies import STATUSES, storm


def test_what_is_no_request_is_a_clean_4xx():
    """``python -m benchmarks.storms.bodies`` does it with a million."""
    counted, grown = storm(6_000, seed=14)
    assert counted.keys() == STATUSES
    assert counted["400"] > 4_000
    assert grown < 30
