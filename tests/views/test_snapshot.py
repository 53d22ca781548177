"""The static picture: complete in itself, and text all through."""

from __future__ import annotations

import html.parser
import re

import pytest

import statefun_nb as sf
from statefun_nb.views.snapshot import snapshot_fragment


@pytest.fixture
def session(functions):
    @functions.bind("a/person", [sf.ValueSpec("text", sf.StringType)])
    def person(ctx, message):
        ctx.storage.text = message.as_string()
        ctx.send(sf.message_builder("a/greeter", ctx.address.id, str_value="x"))
        ctx.send(sf.message_builder("a/person", "self", str_value="x")) if ctx.caller is None else 0

    @functions.bind("a/greeter")
    def greeter(ctx, message):
        ctx.send_egress(sf.kafka_egress_message("a/out", "t", "v"))

    with sf.start(port=0, functions=functions) as found:
        yield found


class Elements(html.parser.HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.names: set[str] = set()
        self.texts: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.names.add(tag)
        if tag not in ("meta", "rect", "path"):
            self.open.append(tag)
        assert not [name for name, _ in attrs if name.startswith("on")]

    def handle_startendtag(self, tag, attrs):
        self.names.add(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)


def test_it_shows_counts_invocations_state_and_flow(session):
    session.send("a/person", "bob", "hello")
    session.wait_idle()
    texts = " ".join(Elements(snapshot_fragment(session)).texts)
    for expected in ("4 invocations", "a/person", "bob", "hello", "State of a/person", "a/out"):
        assert expected in texts


def test_an_empty_session_has_a_picture(session):
    assert "0 invocations" in snapshot_fragment(session)


def test_a_page_is_complete_in_itself(session, tmp_path):
    session.send("a/person", "bob", "hello")
    session.wait_idle()
    path = session.snapshot_html(tmp_path / "s.html")
    page = path.read_text()
    assert page.startswith("<!doctype html>")
    assert "script" not in Elements(page).names
    assert not re.search(r"(src|href)=", page)


def test_payloads_never_become_markup(session):
    evil = "</td><img src=x onerror=alert(1)><script>"
    session.send("a/person", evil, evil)
    session.send(evil and "a/person", "y", "x" * 5_000_000)
    session.wait_idle()
    picture = snapshot_fragment(session)
    assert Elements(picture).names <= {
        *("div", "p", "svg", "defs", "marker", "path", "rect", "text", "tspan", "table"),
        *("caption", "thead", "tbody", "tr", "th", "td"),
    }
    assert len(picture) < 60_000


def test_after_the_end_it_is_still_there(session):
    session.send("a/person", "bob", "hello")
    session.wait_idle()
    session.stop()
    assert "stopped" in snapshot_fragment(session)
