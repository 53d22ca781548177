"""The trace: what is recorded of each invocation, and that it stays bounded."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from datetime import datetime, timedelta, timezone

import pytest

import statefun_nb as sf
from statefun_nb.trace import invocations, output
from statefun_nb.trace.reader import read_batch
from statefun_nb.trace.recorder import Recorder
from statefun_nb.trace.traced import TracedHandler
from tests import peer


def test_an_invocation_tells_all_that_happened(engine, functions):
    @sf.function("t/first", state={"n": int, "word": str}, functions=functions)
    def first(ctx, message):
        print("seen", message.value)
        ctx.storage.n = (ctx.storage.n or 0) + 1
        ctx.send("t/second", "b", "sent")
        ctx.send_after(timedelta(seconds=5), "t/second", "b", "late", token="t")
        ctx.cancel_delayed_message("t")
        ctx.send_egress(sf.kafka_egress_message("t/out", "topic", "record", key="k"))

    @sf.function("t/second", functions=functions)
    async def second(ctx, message):
        await asyncio.sleep(0)

    before = datetime.now(timezone.utc)
    engine.pause()  # so that both go out as one batch
    engine.send("t/first", "a", "hello")
    engine.send("t/first", "a", "again")
    engine.resume()
    engine.wait_idle()
    one, two = engine.invocations.filter(type="t/first")
    assert str(one.address) == "t/first 'a'"
    assert one.caller is None
    assert (one.message.typename, one.message.value) == ("io.statefun.types/string", "hello")
    assert (one.state_before, one.state_after) == ({}, {"n": 1})
    assert (two.state_before, two.state_after) == ({"n": 1}, {"n": 2})
    assert [(str(s.target), s.message.value) for s in one.sent] == [("t/second 'b'", "sent")]
    assert [(d.delay, d.token, d.message.value) for d in one.delayed] == [
        (timedelta(seconds=5), "t", "late")
    ]
    assert [c.token for c in one.cancelled] == ["t"]
    assert "<td>asks to cancel</td><td>t</td>" in one._repr_html_()
    assert "asks to cancel 't'" in engine.invocations._repr_html_().replace("&#x27;", "'")
    assert [(e.egress, e.topic, e.key, e.value) for e in one.egress] == [
        ("t/out", "topic", "k", "record")
    ]
    assert (one.stdout, two.stdout) == ("seen hello\n", "seen again\n")
    assert (one.status, one.error, one.function_version) == ("ok", None, 1)
    assert one.batch == two.batch
    assert (two.seq, one.duration >= 0) == (one.seq + 1, True)
    assert one.time.tzinfo is timezone.utc
    assert one.time < before  # the fixture's clock stands in 2020
    caused = engine.invocations.filter(type="t/second")
    assert [each.cause for each in caused] == [one.seq, two.seq]
    assert [str(each.caller) for each in caused] == ["t/first 'a'"] * 2
    assert engine.invocations.caused_by(one.seq)[0].seq == caused[0].seq


def test_delayed_messages_have_their_cause_too(engine, functions):
    @sf.function("t/f", functions=functions)
    def f(ctx, message):
        if message.value:
            ctx.send_after(timedelta(hours=1), "t/f", "b", 0)

    engine.send("t/f", "a", 1)
    engine.wait_idle()
    engine.advance(timedelta(hours=1))
    first, second = engine.invocations
    assert (first.cause, second.cause) == (None, first.seq)


def test_an_error_undoes_the_whole_batch_and_says_which_message_it_was(functions):
    @sf.function("t/f", state={"n": int}, functions=functions)
    def f(ctx, message):
        print("at", message.value)
        ctx.storage.n = message.value
        ctx.send("t/g", "x", 1)
        if message.value == 3:
            raise ValueError("three")

    recorder = Recorder()
    request = peer.request(
        ("t/f", "a"), [(peer.LONG, bytes([9, n, *bytes(7)])) for n in (1, 2, 3, 4)], {"n": None}
    )
    failure = peer.outcome(TracedHandler(functions, recorder), request).failure
    assert failure is not None
    assert failure.position == 2
    one, two, three = sf.Invocations.of(recorder)
    third = three.error
    assert third is not None
    assert third.type == "ValueError"
    # Those before it have no error of their own: they were undone, and come again.
    assert [each.error for each in (one, two)] == [None, None]
    assert [each.status for each in (one, two, three)] == ["rolled back", "rolled back", "error"]
    assert "another message of its batch failed" in repr(one._fields())
    assert all(each.state_after == {} and not each.sent for each in (one, two, three))
    assert [each.stdout for each in (one, two, three)] == ["at 1\n", "at 2\n", "at 3\n"]
    assert 'raise ValueError("three")' in third.traceback
    assert "dispatch.py" not in third.traceback
    output.uninstall()


def test_the_handshake_counts_as_no_invocation(functions):
    @sf.function("t/f", state={"n": int}, functions=functions)
    def f(ctx, message):
        ctx.storage.n = 1

    recorder = Recorder()
    handler = TracedHandler(functions, recorder)
    assert peer.outcome(handler, peer.request(("t/f", "a"), [peer.text("m")])).missing
    assert recorder.count == 0
    handler.start(peer.request(("t/f", "a"), [peer.text("m")], {"n": None}))
    assert [each.seq for each in sf.Invocations.of(recorder)] == [1]
    output.uninstall()


def test_the_trace_is_bounded_in_number(functions):
    @sf.function("t/f", functions=functions)
    def f(ctx, message):
        pass

    with sf.start(port=0, functions=functions, trace_limit=50, batch_limit=7) as session:
        session.send_many(("t/f", f"k{i % 3}", i) for i in range(1_000))
        session.wait_idle()
        kept = session.invocations
        assert 43 < len(kept) <= 50
        assert kept.dropped == 1_000 - len(kept)
        assert [each.seq for each in kept] == sorted(each.seq for each in kept)
        assert "no longer kept" in repr(kept)
        assert session.status().traced == 1_000


def test_the_trace_is_bounded_in_bytes(functions):
    @sf.function("t/f", state={"blob": str}, functions=functions)
    def f(ctx, message):
        ctx.storage.blob = message.value

    limit = 2_000_000
    with sf.start(port=0, functions=functions, trace_bytes=limit, batch_limit=1) as session:
        for i in range(100):
            session.send("t/f", f"k{i % 5}", "x" * 50_000)
        session.wait_idle()
        # Each holds its value three times: in the request (new and old) and in the reply.
        assert session.status().trace_bytes <= limit
        assert 5 <= len(session.invocations) <= 40
        assert session.status().traced == 100


def test_a_huge_message_is_kept_alone(functions):
    @sf.function("t/f", functions=functions)
    def f(ctx, message):
        pass

    with sf.start(port=0, functions=functions, trace_bytes=10_000) as session:
        session.send("t/f", "a", "small")
        session.wait_idle()
        session.send("t/f", "a", "x" * 100_000)
        session.wait_idle()
        (kept,) = session.invocations
        assert len(kept.message.value) == 100_000


def test_a_cursor_reads_only_what_is_new(functions):
    @sf.function("t/f", functions=functions)
    def f(ctx, message):
        pass

    recorder = Recorder(limit=10)
    handler = TracedHandler(functions, recorder)
    request = peer.request(("t/f", "a"), [peer.text("m")] * 2)
    for _ in range(3):
        handler.start(request)
    first = recorder.snapshot()
    assert (len(first.batches), first.cursor, first.dropped) == (3, 6, 0)
    assert recorder.snapshot(first.cursor).batches == ()
    for _ in range(4):
        handler.start(request)
    second = recorder.snapshot(first.cursor)
    assert [batch.seq for batch in second.batches] == [7, 9, 11, 13]
    assert (second.cursor, second.dropped) == (14, 4)
    assert [batch.seq for batch in recorder.snapshot(2).batches] == [5, 7, 9, 11, 13]
    recorder.clear()
    assert recorder.snapshot(second.cursor).batches == ()
    assert (recorder.count, recorder.bytes) == (14, 0)
    output.uninstall()


def test_output_goes_to_its_invocation_and_not_to_the_cell(functions, capsys):
    @sf.function("t/f", functions=functions)
    async def f(ctx, message):
        print("one", message.value)
        await asyncio.sleep(0.01)
        print("two", message.value, file=sys.stderr)

    with sf.start(port=0, functions=functions) as session:
        print("the cell's own")
        for i in range(5):
            session.send("t/f", f"k{i}", i)
        session.wait_idle()
        assert [each.stdout for each in session.invocations] == [
            f"one {i}\ntwo {i}\n" for i in range(5)
        ]
    out, err = capsys.readouterr()
    assert (out, err) == ("the cell's own\n", "")
    output.uninstall()


def test_a_flood_of_output_is_cut(functions):
    @sf.function("t/f", functions=functions)
    def f(ctx, message):
        for _ in range(1_000):
            print("x" * 999)

    with sf.start(port=0, functions=functions) as session:
        session.send("t/f", "a", 1)
        session.wait_idle()
        text = session.invocations[0].stdout
        assert len(text) < 66_000
        assert text.endswith("more characters)")
    output.uninstall()


def test_records_become_a_dataframe(functions):
    pd = pytest.importorskip("pandas")

    @sf.function("t/f", state={"n": int}, functions=functions)
    def f(ctx, message):
        ctx.storage.n = message.value
        if message.value == 2:
            raise ValueError("two")

    with sf.start(port=0, functions=functions) as session:
        empty = session.invocations.to_dataframe()
        for value in (1, 2):
            session.send("t/f", "a", value)
            session.wait_idle()
        table = session.invocations.to_dataframe()
        assert isinstance(table, pd.DataFrame)
        assert len(empty) == 0
        assert [empty.index.name, *empty.columns] == [table.index.name, *table.columns]
        assert table["status"].tolist() == ["ok", "error"]
        assert table["error"].tolist()[1] == "ValueError"
        assert table["state_after"].tolist() == [{"n": 1}, {"n": 1}]


def test_payloads_of_unknown_or_broken_types_show_their_bytes(functions):
    @sf.function("t/f", functions=functions)
    def f(ctx, message):
        pass

    recorder = Recorder()
    request = peer.request(
        ("t/f", "a"), [("x/y", b"\x01"), (peer.LONG, b"\xff"), (peer.STRING, None)]
    )
    TracedHandler(functions, recorder).start(request)
    assert [each.message.value for each in sf.Invocations.of(recorder)] == [b"\x01", b"\xff", None]
    output.uninstall()


def test_a_trace_that_is_switched_off_records_nothing(functions):
    @sf.function("t/f", functions=functions)
    def f(ctx, message):
        raise ValueError("no")

    with sf.start(port=0, functions=functions, trace=False) as session:
        session.send("t/f", "a", 1)
        session.wait_idle()
        assert len(session.invocations) == 0
        assert "ValueError: no" in session.parked[0].reason


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"status": "eror"}, "'ok', 'error', 'rolled back', 'repaired'; did you mean 'error'?"),
        ({"type": sf}, "it takes text"),
        ({"id": 5}, "id=5 (int): it takes text"),
        ({"where": "bob"}, "where='bob' (str): it takes a function"),
    ],
)
def test_a_filter_says_what_it_takes(wrong, words):
    with pytest.raises(sf.StatefunError) as failed:
        sf.Invocations.of(Recorder()).filter(**wrong)
    assert words in str(failed.value)


def test_filters_go_on_from_filters(functions):
    @sf.function("t/f", functions=functions)
    def f(ctx, message):
        if message.value % 3 == 0:
            raise ValueError("three")

    @sf.function("t/g", functions=functions)
    def g(ctx, message):
        pass

    with sf.start(port=0, functions=functions, on_error="skip") as session:
        session.send_many((f"t/{'fg'[i % 2]}", f"k{i % 5}", i) for i in range(100))
        session.wait_idle()
        trace = session.invocations
    ways = [
        trace.filter(type="t/f", status="error", id="k0"),
        trace.filter(status="error").filter(type="t/f").filter(id="k0"),
        trace.filter(id="k0").filter(type="t/f").filter(status="error"),
        trace.filter(lambda each: each.status == "error" and each.address.id == "k0"),
    ]
    expected = [each.seq for each in trace if each.status == "error" and each.address.id == "k0"]
    assert len(expected) == 4
    assert [[each.seq for each in way] for way in ways] == [expected] * len(ways)
    assert [[each.seq for each in way[::-1]] for way in ways] == [expected[::-1]] * len(ways)
    backward = [
        trace[::-1].filter(type="t/f", id="k0", status="error"),
        trace[::-1].filter(type="t/f").filter(id="k0").filter(status="error"),
        trace[::-1].filter(lambda each: each.status == "error" and each.address.id == "k0"),
    ]
    assert [[each.seq for each in way] for way in backward] == [expected[::-1]] * len(backward)
    chosen = [each.seq for each in [*trace][::-3] if each.address.id == "k1"]
    assert [each.seq for each in trace[::-3].filter(id="k1")] == chosen != []
    served = trace.filter(status="ok")
    assert [each.seq for each in served[-3:]] == [each.seq for each in trace if not each.error][-3:]
    assert len(served) == sum(each.status == "ok" for each in trace)


def test_a_batch_is_decoded_once_in_whatever_order_it_is_read(functions, monkeypatch):
    @functions.bind("t/f")
    def f(ctx, message):
        pass

    with sf.start(port=0, functions=functions) as session:
        session.pause()
        session.send_many(("t/f", f"k{i % 3}", i) for i in range(300))
        session.resume()
        session.wait_idle()
        trace = session.invocations
    forward = [*trace]
    batches = len({each.batch for each in forward})
    assert len(forward) == 300 > 10 * batches
    decoded: list[int] = []

    def counted(batch, *arguments):
        decoded.append(batch.number)
        return read_batch(batch, *arguments)

    monkeypatch.setattr(invocations, "read_batch", counted)

    def even(each):
        return each.message.value % 2 == 0

    for read, expected in (
        (lambda: reversed(trace), forward[::-1]),
        (lambda: trace[::-1], forward[::-1]),
        (lambda: trace[250:20:-3], forward[250:20:-3]),
        (lambda: reversed(trace[20:250:3]), forward[20:250:3][::-1]),
        (lambda: trace.filter(even), [each for each in forward if even(each)]),
        (lambda: trace[::-1].filter(even), [each for each in forward[::-1] if even(each)]),
    ):
        decoded.clear()
        assert [*read()] == expected
        # A filter decodes them to look, and what it found is decoded where it is read.
        assert len(decoded) <= 2 * batches
    decoded.clear()
    assert next(reversed(trace)) == forward[-1]
    assert len(decoded) == 1


def test_without_pandas_the_trace_says_what_to_install(functions, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with (
        sf.start(port=0, functions=functions) as session,
        pytest.raises(sf.EngineError, match=r"to_dataframe\(\) needs pandas: pip install"),
    ):
        session.invocations.to_dataframe()


def test_a_stream_that_is_gone_has_not_closed_what_it_stood_for():
    code = (
        "import io\n"
        "from statefun_nb.trace.output import Router\n"
        "original = io.TextIOWrapper(io.BytesIO())\n"
        "router = Router(original)\n"
        "original.close()\n"
        "del router\n"
    )
    command = [sys.executable, "-X", "dev", "-c", code]  # as Python 3.13 tells it without
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert done.stderr == ""


def test_bytes_written_to_stdout_fail_at_the_line_that_writes_them(functions):
    @sf.function("t/f", functions=functions)
    def f(ctx, message):
        sys.stdout.write(b"x")  # type: ignore[arg-type]  # a slip

    with sf.start(port=0, functions=functions) as session:
        session.send("t/f", "a", 1)
        session.wait_idle()
        (parked,) = session.parked
        assert parked.reason.startswith("TypeError: write() argument must be str, not bytes")
        assert "test_trace.py" in parked.line
