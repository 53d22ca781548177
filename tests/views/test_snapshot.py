"""The static picture: complete in itself, and text all through."""

from __future__ import annotations

import base64
import html.parser
import re

import pytest

import statefun_nb as sf
from statefun_nb.views.snapshot import snapshot_fragment, summary


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
        self.pictures: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.names.add(tag)
        if tag == "img":
            self.pictures.append(dict(attrs)["src"])
        elif tag not in ("meta", "rect", "path"):
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
    picture = Elements(snapshot_fragment(session))
    texts = " ".join(picture.texts)
    for expected in ("4 invocations", "a/person", "bob", "hello", "State of a/person"):
        assert expected in texts
    (graph,) = picture.pictures
    kind, _, data = graph.partition(";base64,")
    assert kind == "data:image/svg+xml"
    drawn = " ".join(Elements(base64.b64decode(data).decode()).texts)
    for expected in ("ingress", "a/person", "a/greeter", "a/out"):
        assert expected in drawn


def test_one_is_not_many_and_nothing_is_not_said(session):
    @session.functions.bind("a/fails")
    def fails(ctx, message):
        raise ValueError("no")

    session.send("a/fails", "bob", 1)
    with pytest.warns(UserWarning, match="no function 'a/nobody'"):
        session.send("a/nobody", "x", "y")
    session.wait_idle()
    texts = " ".join(Elements(snapshot_fragment(session)).texts)
    for waits in ("2 parked addresses", "ValueError: no", "no function 'a/nobody' is declared"):
        assert waits in texts
    line = summary(session)
    assert "1 invocation ·" in line
    assert "· 1 error ·" in line
    assert "2 parked" in line
    assert "delayed" not in line


# What GitHub's HTML pipeline leaves: these elements and attributes, and what stands between them.
# It drops pictures that are not at an http address; their words stay.
GITHUB = {
    "elements": {"p", "div", "img", "table", "caption", "thead", "tbody", "tr", "th", "td"},
    "attributes": {"scope", "alt", "src"},
}


def test_what_a_strict_page_leaves_of_it_is_whole_and_no_word_more(session):
    session.send("a/person", "bob", "hello")
    session.wait_idle()
    picture = snapshot_fragment(session, name="n")
    bare = re.sub(r"<style>.*?</style>", "", picture)
    assert Elements(bare).names <= GITHUB["elements"]
    assert "ingress to a/person: 1" in bare
    # No words of the graph stand outside of it: they would be a line of garbage.
    texts = " ".join(Elements(bare).texts)
    assert "ingress" not in texts
    assert "a/out" not in texts


def test_an_empty_session_has_a_picture(session):
    assert "0 invocations" in snapshot_fragment(session)


def test_a_page_is_complete_in_itself(session, tmp_path):
    session.send("a/person", "bob", "hello")
    session.wait_idle()
    path = session.snapshot_html(tmp_path / "s.html")
    page = path.read_text()
    assert page.startswith("<!doctype html>")
    assert "script" not in Elements(page).names
    assert not re.search(r'(src|href)="(?!data:)', page)


def test_payloads_never_become_markup(session):
    evil = "</td><img src=x onerror=alert(1)><script>"
    session.send("a/person", evil, evil)
    session.send(evil and "a/person", "y", "x" * 5_000_000)
    session.wait_idle()
    picture = snapshot_fragment(session)
    assert Elements(picture).names <= {
        *("div", "p", "img", "table"),
        *("caption", "thead", "tbody", "tr", "th", "td"),
    }
    assert len(picture) < 60_000


def test_after_the_end_it_is_still_there(session):
    session.send("a/person", "bob", "hello")
    session.wait_idle()
    session.stop()
    assert "stopped" in snapshot_fragment(session)


def test_a_function_that_has_only_failed_is_in_the_picture(functions):
    @sf.function("g/bad", functions=functions)
    def bad(ctx, message):
        raise ValueError("always")

    with sf.start(port=0, functions=functions) as session:
        session.send("g/bad", "x", 1)
        session.wait_idle()
        (picture,) = Elements(snapshot_fragment(session)).pictures
    assert "✗ 1 error" in base64.b64decode(picture.partition(",")[2]).decode()
