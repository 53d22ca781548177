"""module.yaml: read with the line of what is wrong, written as StateFun reads it."""

from __future__ import annotations

import itertools
import time

import pytest

import statefun_nb as sf
from statefun_nb.protocol.module_reader import read_module, read_source
from statefun_nb.protocol.module_yaml import ENDPOINT, covers, http_endpoint, write_module

SPEC = f"kind: {ENDPOINT}\nspec:\n"
GOOD = """\
kind: io.statefun.endpoints.v2/http
spec:
  functions: shop/*
  urlPathTemplate: http://127.0.0.1:8000/{function.name}
---
---
kind: io.statefun.kafka.v1/ingress
spec:
  id: shop/in
  address: 127.0.0.1:9092
  topics:
    - topic: orders
      valueType: io.statefun.types/string
      targets: [shop/cart]
"""


def test_documents_are_read_and_empty_ones_skipped():
    endpoint, ingress = read_module(GOOD)
    assert (endpoint.spec["functions"], endpoint.line, endpoint.is_endpoint) == ("shop/*", 1, True)
    assert (ingress.spec["id"], ingress.line, ingress.is_egress) == ("shop/in", 7, False)
    assert read_module(write_module([endpoint, ingress]))[1].spec == ingress.spec
    assert read_module("") == []


OLDER = """\
version: "3.0"
module:
  meta:
    type: remote
  spec:
    endpoints:
      - endpoint:
          meta:
            kind: http
          spec:
            functions: shop/*
            urlPathTemplate: http://127.0.0.1:8000/statefun
            timeouts: {call: 2min}
    ingresses:
      - ingress:
          meta:
            type: io.statefun.kafka/ingress
            id: shop/in
          spec:
            address: 127.0.0.1:9092
            topics: []
"""


def test_a_module_of_version_3_0_becomes_the_documents_of_today():
    endpoint, ingress = read_module(OLDER)
    assert (endpoint.kind, endpoint.spec["functions"]) == (
        "io.statefun.endpoints.v1/http",
        "shop/*",
    )
    assert endpoint.spec["timeouts"] == {"call": "2min"}
    assert (ingress.kind, ingress.spec["id"]) == ("io.statefun.kafka.v1/ingress", "shop/in")
    assert read_module(write_module([endpoint, ingress]))[1].spec == ingress.spec


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (('"3.0"', '"4.0"'), "version '4.0' is not known"),
        (("io.statefun.kafka/ingress", "nonsense"), "line 16: unknown 'nonsense'"),
        (("            address: 127.0.0.1:9092\n", ""), "lacks address"),
        (("shop/in", "nonsense"), "'nonsense' is not a typename"),
        (
            ("            topics: []", "            topicz: []"),
            "lacks topics; 'topicz' stands there, for 'topics'",
        ),
        (("timeouts: {call: 2min}", "timeouts: 5"), "line 13: timeouts: takes names and values"),
        (
            ("    endpoints:\n      - endpoint:", "    endpoints:\n      endpoint:"),
            "line 7: .* a list",
        ),
        (("            functions: shop/*\n", "            5\n"), "line 1"),
        (("          meta:\n            kind: http\n", ""), "endpoint has no meta:"),
    ],
)
def test_what_is_wrong_in_a_module_of_3_0_is_named(change, says):
    with pytest.raises(sf.DeclarationError, match=says):
        read_module(OLDER.replace(*change))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("kind: nonsense\nspec: {}", "line 1: unknown kind 'nonsense'"),
        ("a: 1", "line 1: a document has a kind"),
        ("- 1", "line 1: a document has a kind"),
        ("kind: [", "line [12]"),  # the end of the line, or what comes after it
        ("---\n\nkind: io.statefun.kafka.v1/egress\n", "line 3: .* has no spec"),
        ("kind: io.statefun.kafka.v1/egress\nspec:\n  id: a/b\n", "line 2: .* lacks address"),
        (
            f"kind: {ENDPOINT}\nspec:\n  functions: [a/b]\n  urlPathTemplate: x\n",
            "line 3: a typename",
        ),
        (f"kind: {ENDPOINT}\nspec:\n  functions: a/b\n  urlPathTemplate: 5\n", "line 4: .* text"),
        (
            f"{SPEC}  functions: a/b\n  urlPathTemplate: x\n  transport:\n    timeouts: [1]\n",
            "line 6: timeouts: takes names and values",
        ),
        ("kind: [a]\nspec: {}\n", "line 1: a document has a kind"),
        ("? [a]\n: b\n", "line 1"),
        ("kind: a/b\nspec: 2001-02-30\n", "line 1"),
        ("a: " + "9" * 5000, "line 1"),
        (
            "kind: io.statefun.kafka.v1/egress\nspec:\n  id: nonsense\n  address: x\n",
            "line 3: 'nonsense' is not a typename",
        ),
        (
            f"kind: {ENDPOINT}\nspec:\n  urlPathTemplate: x\n  functions: '*/x'\n",
            "line 4: .* only wildcard",
        ),
        ("kind: !!python/object:os.system\nspec: {}", "line 1"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(text, says):
    with pytest.raises(sf.DeclarationError, match=says):
        read_module(text)


def _line_of_bomb(before, name):
    return f"{name}: &{name} [{','.join(['*' + before] * 10)}]\n"


BOMB = "a: &a [x]\n" + "".join(_line_of_bomb(*each) for each in itertools.pairwise("abcdefgh"))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param("kind: " + "[" * 100_000, "nest", id="nested"),
        pytest.param("kind: " + "{a: " * 1_000 + "}" * 1_000, "deeper than 50 levels", id="maps"),
        pytest.param(BOMB, "more than 30,000 values", id="aliases"),
        pytest.param("&a [*a]", "more than 30,000 values", id="itself"),
        pytest.param(GOOD + "# comment\n" * 10_000_000, "characters: 1,048,576", id="comments"),
        pytest.param("---\n" * 200_000, "more than 30,000 values", id="documents"),
    ],
)
def test_what_is_too_large_to_be_a_module_is_refused_within_a_second(text, says):
    begin = time.process_time()
    with pytest.raises(sf.DeclarationError, match=says):
        read_module(text)
    assert time.process_time() - begin < 1


def test_a_large_file_is_not_read(tmp_path):
    path = tmp_path / "large.yaml"
    with path.open("wb") as file:
        file.truncate(10_000_000_000)  # of which the disk has nothing
    with pytest.raises(sf.DeclarationError, match=r"large\.yaml, line 1: it has"):
        read_source(path)


def test_what_the_runtime_ignores_is_ignored_with_one_warning(functions):
    text = GOOD.replace("  functions:", "  functionz: 1\n  functions:") + "extra: 1\n"
    documents = read_module(text)
    assert [len(document.notes) for document in documents] == [1, 1]
    with (
        sf.start(port=0, functions=functions) as session,
        pytest.warns(UserWarning, match=r"line 3: .* has no 'functionz', only functions") as told,
    ):
        session.load_module(text.partition("---")[0])
    assert len(told) == 1
    assert told[0].filename == __file__


def test_specific_and_wildcard_endpoints_cover():
    documents = [http_endpoint("a/*", "u"), http_endpoint("b/one", "u")]
    assert [covers(documents, name) for name in ("a/x", "b/one", "b/two")] == [True, True, False]


def test_a_session_writes_the_module_of_its_functions(functions, tmp_path):
    for name in ("shop/cart", "shop/stock", "mail/send"):
        sf.function(name, functions=functions)(lambda ctx, message: None)
    with sf.start(port=0, functions=functions) as session:
        patterns = [d.spec["functions"] for d in read_module(session.module_yaml())]
        assert patterns == ["mail/*", "shop/*"]
        egress = "kind: io.statefun.kafka.v1/egress\nspec: {id: a/b, address: x}\n"
        path = tmp_path / "module.yaml"
        path.write_text(egress)
        session.load_module(path)
        assert "id: a/b" in session.module_yaml()
        with pytest.raises(sf.EngineError, match=r'line 7: .*engine="flink"'):
            session.load_module(
                "\n" * 6 + "kind: io.statefun.kinesis.v1/ingress\nspec: {id: a/b, streams: []}\n"
            )
