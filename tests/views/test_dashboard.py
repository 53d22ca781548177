"""The widget: who is told what, and when nothing is sent at all."""

from __future__ import annotations

import gc
import json
import re
import sys
import threading
import time

import pytest

import statefun_nb as sf

anywidget = pytest.importorskip("anywidget")

from comm.base_comm import BaseComm  # noqa: E402

from tests.waiting import eventually  # noqa: E402


class Page:
    """A browser's end of the comm: what it was sent, and a way to say something."""

    def __init__(self, widget):
        self.widget = widget
        self.messages = []
        self.name = f"page {id(self)}"
        self.acknowledges = True
        widget.comm.pages.append(self)

    def say(self, kind, **content):
        self.widget._handle_custom_msg({"kind": kind, "page": self.name, **content}, [])

    def open(self):
        self.say("hello")
        return self

    def receive(self, data, buffers):
        if data.get("method") != "custom":
            return
        (buffer,) = buffers
        message = json.loads(bytes(buffer))
        assert message["kind"] == data["content"]["kind"]
        self.messages.append(message)
        if message["kind"] == "update" and self.acknowledges:
            self.say("ack", number=message["number"])

    @property
    def updates(self):
        return [each for each in self.messages if each["kind"] == "update"]

    @property
    def seqs(self):
        return sorted({row[0] for update in self.updates for row in update["rows"]})

    def wait(self, condition):
        eventually(lambda: condition(self), tell=lambda: self.messages[-1:])
        return self


class RecordingComm(BaseComm):
    """A comm without a kernel: it hands what the widget sends to the pages."""

    def __init__(self, *args, **kwargs):
        self.pages = []
        super().__init__(*args, **kwargs)

    def publish_msg(self, msg_type, data=None, metadata=None, buffers=None, **keys):
        for page in tuple(self.pages):
            page.receive(data or {}, buffers)


@pytest.fixture(autouse=True)
def wire(monkeypatch):
    import comm

    monkeypatch.setattr(comm, "create_comm", RecordingComm)


@pytest.fixture
def session(functions):
    @functions.bind("a/f", [sf.ValueSpec("n", sf.IntType)])
    def f(ctx, message):
        if message.as_string() == "boom":
            raise ValueError("boom")
        ctx.storage.n = (ctx.storage.n or 0) + 1

    with sf.start(port=0, functions=functions) as found:
        yield found


def run(session, count=1, text="hi"):
    session.send_many((("a/f", str(n), text) for n in range(count)), progress=False)
    session.wait_idle(30)


def run_and_be_told(session, count):
    """Run, and wait until a page that looks has all of it: each page has had its turn then."""
    page = Page(session.dashboard()).open().wait(lambda p: p.updates)
    before = len(page.seqs)
    run(session, count)
    page.wait(lambda p: len(p.seqs) == before + count)


def test_a_page_gets_what_is_there_and_what_comes(session):
    run(session)
    page = Page(session.dashboard()).open()
    page.wait(lambda p: p.seqs == [1])
    run(session)
    page.wait(lambda p: p.seqs == [1, 2])


def test_before_anybody_looks_nothing_is_sent(session):
    page = Page(session.dashboard())
    run_and_be_told(session, 100)
    assert page.messages == []


def test_a_page_that_is_opened_late_or_again_gets_everything(session):
    widget = session.dashboard()
    first = Page(widget).open()
    run(session, 300)
    everything = list(range(1, 301))
    first.wait(lambda p: p.seqs == everything)
    late = Page(widget).open()
    late.wait(lambda p: p.seqs == everything)


def test_a_hidden_page_costs_nothing_and_catches_up(session):
    page = Page(session.dashboard()).open().wait(lambda p: p.updates)
    page.say("visible", visible=False)
    run_and_be_told(session, 0)
    before = len(page.updates)
    run_and_be_told(session, 50)
    assert len(page.updates) == before
    page.say("visible", visible=True)
    page.wait(lambda p: len(p.seqs) == 50)


def test_at_most_ten_updates_a_second_whatever_happens(session):
    page = Page(session.dashboard()).open().wait(lambda p: p.updates)
    begin, before = time.monotonic(), len(page.updates)
    while time.monotonic() - begin < 1.0 or len(page.updates) - before <= 2:
        run(session, 20)
        assert time.monotonic() - begin < 30
    count = len(page.updates) - before
    assert count <= 10 * (time.monotonic() - begin) + 1
    assert max(len(update["rows"]) for update in page.updates) <= 40


def test_a_page_that_is_gone_without_a_word_is_sent_next_to_nothing(session):
    page = Page(session.dashboard())
    page.acknowledges = False
    page.open().wait(lambda p: p.updates)
    begin = time.monotonic()
    while time.monotonic() - begin < 2.0:
        run(session, 5)
    count = len(page.updates)
    assert count <= 10 + (time.monotonic() - begin) / 2  # one in two seconds, beside the ten


def test_several_dashboards_show_one_session(session):
    pages = [Page(session.dashboard()).open() for _ in range(3)]
    run(session, 10)
    for page in pages:
        page.wait(lambda p: len(p.seqs) == 10)


def test_a_closed_dashboard_is_forgotten(session):
    widget = session.dashboard()
    page = Page(widget).open().wait(lambda p: p.updates)
    widget.close()
    before = len(page.messages)
    run_and_be_told(session, 10)
    assert len(page.messages) == before


def test_a_call_is_answered(session):
    page = Page(session.dashboard())
    page.say("call", id="7", name="send", arguments={"typename": "a/f", "id": "x", "text": "hi"})
    page.wait(lambda p: p.messages)
    assert page.messages == [{"kind": "reply", "id": "7", "result": None}]


def test_a_function_that_blocks_is_named_while_it_does(functions):
    seen = threading.Event()

    @functions.bind("a/slow")
    def slow(ctx, message):
        seen.wait(60)

    with sf.start(port=0, functions=functions) as session:
        page = Page(session.dashboard()).open().wait(lambda p: p.updates)
        session.send("a/slow", "x", "hi")
        try:
            page.wait(lambda p: p.updates[-1]["header"]["running"])
            assert re.match(r"a/slow 'x' for \d+ s", page.updates[-1]["header"]["running"][0])
        finally:
            seen.set()


def test_values_that_cannot_be_compared_are_shown(functions):
    class Odd:
        def __init__(self, data):
            self.data = data

        def __eq__(self, other):
            raise TypeError("no comparison in a word")

        def __hash__(self):
            raise TypeError("no key of a dict")

        def __repr__(self):
            raise ValueError("no words, either")

    odd = sf.simple_type("a/odd", lambda value: value.data, Odd)

    @functions.bind("a/f", [sf.ValueSpec("x", odd)])
    def f(ctx, message):
        ctx.storage.x = Odd(b"1")

    with sf.start(port=0, functions=functions) as session:
        page = Page(session.dashboard()).open()
        session.send("a/f", "x", "hi")
        session.wait_idle()
        session.send("a/f", "x", "hi")
        page.wait(lambda p: len(p.seqs) == 2)
        assert not [each for each in page.messages if each["kind"] == "problem"]
        rows = [row for update in page.updates for row in update["rows"]]
        assert all(row[6].startswith("x") for row in rows)


def test_what_keeps_a_view_from_going_on_is_told_and_it_goes_on(session, monkeypatch):
    from statefun_nb.views import feed

    page = Page(session.dashboard()).open().wait(lambda p: p.updates)
    with monkeypatch.context() as broken:
        broken.setattr(feed, "row_of", lambda each: 1 / 0)
        run(session)
        page.wait(lambda p: [each for each in p.messages if each["kind"] == "problem"])
    run(session)
    page.wait(lambda p: p.seqs)


def test_paused_follows_the_engine_and_moves_it(session):
    widget = session.dashboard()
    Page(widget).open()
    widget.paused = True
    assert session.engine.paused
    session.resume()
    eventually(lambda: not widget.paused)
    widget.paused = True
    session.stop()
    widget.paused = False  # too late to do anything
    assert widget.paused


def test_the_end_of_the_session_is_told_and_the_trace_stays(session):
    widget = session.dashboard()
    page = Page(widget).open()
    run(session, 3)
    session.stop()
    page.wait(lambda p: p.updates[-1]["header"]["state"] == "stopped")
    late = Page(widget).open()
    late.wait(lambda p: p.seqs == [1, 2, 3])


def test_a_watched_address_needs_no_rows_and_the_others_do(session):
    page = Page(session.watch("a/f", "0")).open()
    run(session)
    page.wait(lambda p: p.updates and p.updates[-1]["header"]["traced"])
    assert page.seqs == []
    # Of a graph they have the topics.
    Page(session.graph()).open().wait(lambda p: p.seqs == [1])
    page = Page(session.table("id:0")).open()
    page.wait(lambda p: p.seqs == [1])
    assert page.widget.filter == "id:0"


def test_without_a_sidecar_the_view_is_in_the_cell_and_it_is_said(session, monkeypatch):
    monkeypatch.setitem(sys.modules, "sidecar", None)
    with pytest.warns(UserWarning, match="where='right' needs jupyterlab-sidecar"):
        view = session.dashboard(where="right")
    assert view.kind == "dashboard"


def test_watch_checks_its_address(session):
    with pytest.raises(sf.DeclarationError):
        session.watch("no typename", "x")


def test_the_bundle_asks_nobody_else():
    from statefun_nb.views.dashboard import Dashboard

    source = str(Dashboard._esm) + str(Dashboard._css)
    addresses = set(re.findall(r"https?://[^\s\"'`)]+", source))
    # Names of XML namespaces and a note in uPlot's code: nothing that is fetched.
    assert {a for a in addresses if "www.w3.org" not in a} == set()
    assert "import(" not in source


def test_dashboards_and_their_session_can_be_collected(functions):
    import weakref

    from ipywidgets import Widget

    with sf.start(port=0, functions=functions) as session:
        widget = session.dashboard()
        widget.close()
        reference = weakref.ref(widget)
    Widget.close_all()
    del widget, session
    sf.stop()
    gc.collect()
    assert reference() is None


def test_marimo_is_given_the_dashboard_to_show(session):
    shown = session._display_()
    assert shown.kind == "dashboard"
    page = Page(shown).open()
    run(session)
    eventually(lambda: page.seqs == [1])
