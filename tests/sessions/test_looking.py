"""What is shown is decoded, and not all that is kept."""

from __future__ import annotations

import json
import pickle
from typing import Any

import pytest

import statefun_nb as sf
from statefun_nb.trace import batch
from statefun_nb.views import listings

ADDRESSES = 300


class Counting:
    """A type that counts what is read of it."""

    def __init__(self) -> None:
        self.read = 0
        self.type: sf.Type[int] = sf.simple_type("a/counting", lambda n: b"%d" % n, self._read)

    def _read(self, data: bytes) -> int:
        self.read += 1
        return int(data)


@pytest.fixture
def counting():
    return Counting()


@pytest.fixture
def session(functions, counting):
    @functions.bind("a/f", [sf.ValueSpec("n", counting.type)])
    def f(ctx, message):
        ctx.storage.n = message.value
        ctx.send_egress(sf.kafka_egress_message("a/out", "topic", f"{message.value}"))

    with sf.start(port=0, functions=functions) as running:
        running.send_many([("a/f", f"id{n:04}", n) for n in range(ADDRESSES)])
        running.wait_idle()
        counting.read = 0
        yield running


def test_a_table_of_state_reads_its_rows(session, counting):
    table = session.state("a/f")
    assert counting.read == 0
    assert f"state of a/f: {ADDRESSES} addresses" in repr(table)
    assert counting.read == 20
    assert repr(table)
    assert table["id0150"] == {"n": 150}
    assert counting.read == 21


def test_a_table_of_state_is_a_dict_however_it_is_looked_at(session):
    plain = {f"id{n:04}": {"n": n} for n in range(ADDRESSES)}

    def table() -> Any:
        return session.state("a/f")

    assert table() == plain
    assert plain == table()
    assert table() == table()
    assert table() != {}
    assert dict(table()) == {**table()} == table().copy() == plain
    assert {} | table() == table() | {} == plain
    assert [*table()] == [*table().keys()] == [*plain]
    assert [*table().values()] == [*plain.values()]
    assert [*table().items()] == [*plain.items()]
    assert json.loads(json.dumps(table())) == plain
    assert pickle.loads(pickle.dumps(table())) == plain
    assert table().get("id0001") == {"n": 1}
    assert table().get("nobody", 5) == 5
    assert table().pop("id0001") == {"n": 1}
    assert table().popitem() == ("id0299", {"n": 299})
    assert table().setdefault("id0001") == {"n": 1}
    with pytest.raises(KeyError):
        table()["nobody"]


def test_what_a_table_of_state_shows_is_of_one_moment(session):
    table = session.state("a/f")
    session.send("a/f", "id0001", 5)
    session.wait_idle()
    assert table["id0001"] == {"n": 1}
    assert session.state("a/f")["id0001"] == {"n": 5}


def test_records_are_read_where_they_are_looked_at(session, monkeypatch):
    read = []
    decoded = listings._decoded

    def reading(record):
        read.append(record)
        return decoded(record)

    monkeypatch.setattr(listings, "_decoded", reading)
    records = session.egress("a/out")
    assert f"{ADDRESSES} egress records of a/out" in repr(records)
    assert len(read) == 20
    assert records[-1].value == "299"
    assert [each.value for each in records[:2]] == ["0", "1"]
    assert records == [*session.egress()] == session.egress()
    assert records != []
    assert session.egress("a/nothing") == []
    assert len(read) < 20 + 3 + 5 * ADDRESSES


def test_a_check_reads_the_invocations_of_its_address(session, counting, monkeypatch):
    decoded = []
    decode = batch.decode_request  # type: ignore[attr-defined]

    def decoding(data):
        decoded.append(data)
        return decode(data)

    monkeypatch.setattr(batch, "decode_request", decoding)
    session.check("a/f", "id0007").state(n=7).invoked(1)
    assert len(decoded) <= 3
    assert len(session.invocations.filter(id="id0007")) == 1
    assert len(decoded) <= 4


def test_the_picture_counts_the_newest(session, tmp_path, monkeypatch):
    monkeypatch.setattr("statefun_nb.views.snapshot._COUNTED", 10)
    text = session.snapshot_html(tmp_path / "page.html").read_text()
    assert "Who sends to whom, in the last 10 invocations" in text
    monkeypatch.setattr("statefun_nb.views.snapshot._COUNTED", ADDRESSES)
    text = session.snapshot_html(tmp_path / "page.html").read_text()
    assert "Who sends to whom" not in text
