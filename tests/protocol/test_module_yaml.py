"""module.yaml: read with the line of what is wrong, written as StateFun reads it."""

from __future__ import annotations

import pytest

import statefun_nb as sf
from statefun_nb.protocol.module_yaml import (
    ENDPOINT,
    covers,
    http_endpoint,
    read_module,
    write_module,
)

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
        (('"3.0"', '"2.0"'), "version '2.0' is not known"),
        (("io.statefun.kafka/ingress", "nonsense"), "line 16: unknown 'nonsense'"),
        (("            address: 127.0.0.1:9092\n", ""), "lacks address"),
        (("shop/in", "nonsense"), "'nonsense' is not a typename"),
        (("            topics: []", "            topicz: []"), "lacks topics"),
        (("timeouts:", "transport:"), "line 13: .* knows no 'transport'"),
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
        ("kind: [", "line 1"),
        ("---\n\nkind: io.statefun.kafka.v1/egress\n", "line 3: .* has no spec"),
        ("kind: io.statefun.kafka.v1/egress\nspec:\n  id: a/b\n", "line 2: .* lacks address"),
        (
            "kind: io.statefun.kafka.v1/egress\nspec:\n  id: a/b\n  address: x\n  topics: []\n",
            "line 5: .* knows no 'topics'",
        ),
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
