"""Options: what may be given, said once."""

from __future__ import annotations

import inspect
from dataclasses import fields
from datetime import timedelta
from typing import Any, get_args

import pytest

import statefun_nb as sf
from statefun_nb.engine.core import OnError
from statefun_nb.magics.parser import line_parser
from statefun_nb.sessions.options import (
    ClockName,
    DeliveryName,
    EngineName,
    OnErrorName,
    Options,
    TransportName,
)


def test_on_error_has_the_names_of_the_engine():
    assert get_args(OnErrorName) == tuple(each.value for each in OnError)


def test_start_takes_each_option_with_its_default():
    taken = inspect.signature(sf.start).parameters
    options = {each.name: each for each in fields(Options)}
    assert taken.keys() == options.keys()
    for name, each in options.items():
        if name != "functions":
            assert taken[name].default == each.default, name


def test_the_magic_has_the_defaults_of_start():
    given = vars(line_parser().parse_args(["start"]))
    assert given.pop("command") == "start"
    assert given == {name: getattr(Options, name) for name in given}


@pytest.mark.parametrize(
    ("name", "names"),
    [
        ("engine", EngineName),
        ("on_error", OnErrorName),
        ("transport", TransportName),
        ("clock", ClockName),
        ("delivery", DeliveryName),
    ],
)
def test_a_name_that_is_none_is_refused_with_all_that_are(functions, name, names):
    engine = "flink" if name == "delivery" else "embedded"
    given: dict[str, Any] = {"functions": functions, "engine": engine}
    with pytest.raises(sf.SessionError, match=f"{name}='spark' is not known") as caught:
        Options(**given | {name: "spark"})
    for each in get_args(names):
        assert repr(each) in str(caught.value)
        Options(**given | {name: each})


@pytest.mark.parametrize(
    ("engine", "option", "its"),
    [
        ("embedded", {"rest_url": "http://localhost:8081"}, "'flink' or 'docker'"),
        ("embedded", {"parallelism": 4}, "'flink' or 'docker'"),
        ("embedded", {"image": "other"}, "'docker'"),
        ("flink", {"image": "other"}, "'docker'"),
        ("flink", {"durable": "demo.db"}, "'embedded'"),
        ("docker", {"clock": "virtual"}, "'embedded'"),
        ("docker", {"transport": "http"}, "'embedded'"),
    ],
)
def test_an_option_of_other_engines_is_not_ignored(functions, engine, option, its):
    (name,) = option
    with pytest.raises(sf.SessionError, match=f"engine='{engine}' has no {name}=: it is for {its}"):
        Options(functions=functions, engine=engine, **option)


@pytest.mark.parametrize("token", [None, 1, "", "a/b", "..", "a b", "ключ", "a?"])
def test_a_token_is_a_part_of_a_path(functions, token):
    with pytest.raises(sf.SessionError, match=r"it takes True \(a random one\), False, or"):
        Options(functions=functions, token=token)


@pytest.mark.parametrize("transport", ["direct", "http"])
def test_a_session_with_a_token(functions, transport):
    @sf.function("a/b", state={"n": int}, functions=functions)
    def count(ctx, message):
        ctx.storage.n = (ctx.storage.n or 0) + 1

    options: dict[str, Any] = {"port": 0, "functions": functions, "transport": transport}
    with sf.start(**options, token=True) as session:
        assert len(session.url.rpartition("/statefun/")[2]) >= 22
        assert f"urlPathTemplate: {session.url}" in session.module_yaml()
        assert session.url in repr(session)
        session.send("a/b", "x", 1)
        session.wait_idle()
        assert session.state("a/b", "x") == {"n": 1}
        assert sf.start(**options, token=True) is session
        first = session.url
    with sf.start(**options, token=True) as session:
        assert session.url.rpartition("/")[2] != first.rpartition("/")[2]
    with sf.start(**options, token="mine-0") as session:
        assert session.url.endswith("/statefun/mine-0")


def test_more_than_falls_due_in_time_says_how_far_the_clock_has_come(functions):
    @sf.function("o/heart", functions=functions)
    def heart(ctx, message):
        ctx.send_after(timedelta(milliseconds=1), "o/heart", ctx.address.id, 1)

    with sf.start(port=0, functions=functions, clock="virtual") as session:
        session.send("o/heart", "x", 1)
        session.wait_idle(timers=False)
        with pytest.raises(sf.BusyError, match=r"the clock has moved by 0:.* of 365 days") as told:
            session.advance(timedelta(days=365), timeout=0.5)
        assert "longer timeout=" in str(told.value)
        assert session.advance(timedelta(milliseconds=10)).processed > 0  # and it goes on
