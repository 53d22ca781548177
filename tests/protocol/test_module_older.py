"""module.yaml of 3.0 and before: each form is read, and what is wrong named by its line."""

from __future__ import annotations

from datetime import timedelta

import pytest

import statefun_nb as sf
from statefun_nb.protocol.any_values import ANY
from statefun_nb.protocol.effects import ExpireMode, StateSpec
from statefun_nb.protocol.module_older_writer import state_specs, write_older
from statefun_nb.protocol.module_reader import read_module
from statefun_nb.protocol.module_yaml import OLDER_ENDPOINT, of_today, write_module

# As the README of Go's SDK of that time has it, character for character.
README = """\
functions:
  - function:
    meta:
      kind: http
      type: demo/greeter
    spec:
      endpoint: http://<end point url>/statefun
"""

OF_1 = """\
version: "1.0"
module:
  meta:
    type: remote
  spec:
    functions:
      - function:
          meta:
            kind: http
            type: shop/cart
          spec:
            endpoint: http://127.0.0.1:8000/statefun
            states:
              - items
              - owner
            maxNumBatchRequests: 500
            timeout: 2min
"""

OF_2 = """\
version: "2.0"
module:
  meta:
    type: remote
  spec:
    functions:
      - function:
          meta:
            kind: http
            type: shop/cart
          spec:
            endpoint: http+unix:///run/cart.sock/statefun
            states:
              - name: items
                expireAfter: 60000millisecond
                expireMode: after-write
              - name: owner
                expireAfter: 1min
              - name: paid
            connectTimeout: 5s
            readTimeout: 1min
            writeTimeout: 1min
    ingresses:
      - ingress:
          meta:
            type: statefun.kafka.io/routable-protobuf-ingress
            id: shop/in
          spec:
            address: kafka:9092
            consumerGroupId: shop
            startupPosition:
              type: earliest
            topics:
              - topic: names
                typeUrl: com.googleapis/google.protobuf.StringValue
                targets:
                  - shop/cart
              - topic: orders
                typeUrl: com.googleapis/shop.Order
                targets:
                  - shop/cart
              - topic: numbers
                typeUrl: com.googleapis/google.protobuf.Int32Value
                targets:
                  - shop/cart
      - ingress:
          meta:
            type: statefun.kinesis.io/routable-protobuf-ingress
            id: shop/stream
          spec:
            awsRegion:
              type: specific
              id: eu-west-1
            streams:
              - stream: names
                typeUrl: shop/Name
                targets:
                  - shop/cart
    egresses:
      - egress:
          meta:
            type: statefun.kafka.io/generic-egress
            id: shop/out
          spec:
            address: kafka:9092
            deliverySemantic:
              type: exactly-once
              transactionTimeoutMillis: 900000
      - egress:
          meta:
            type: statefun.kinesis.io/generic-egress
            id: shop/records
          spec:
            awsRegion:
              type: default
"""


def test_the_form_of_the_readme_is_read_with_its_siblings_and_with_children():
    (document,) = read_module(README)
    assert (document.kind, document.line, document.is_endpoint) == (OLDER_ENDPOINT, 7, True)
    assert document.spec == {
        "functions": "demo/greeter",
        "urlPathTemplate": "http://<end point url>/statefun",
    }
    head, _, rest = README.partition("- function:\n")
    children = "\n".join(f"    {line}" for line in rest.splitlines())
    assert read_module(f"{head}- function:\n{children}")[0].spec == document.spec


def test_version_1_has_names_of_states_alone():
    (document,) = read_module(OF_1)
    assert document.spec["timeouts"] == {"call": "2min"}
    assert document.spec["maxNumBatchRequests"] == 500
    assert state_specs(document) == [
        StateSpec(name, ANY, ExpireMode.NONE, 0) for name in ("items", "owner")
    ]


def test_version_2_is_read_part_by_part():
    function, kafka, kinesis, out, records = read_module(OF_2)
    assert state_specs(function) == [
        StateSpec("items", ANY, ExpireMode.AFTER_WRITE, 60_000),
        StateSpec("owner", ANY, ExpireMode.AFTER_INVOKE, 60_000),
        StateSpec("paid", ANY, ExpireMode.NONE, 0),
    ]
    assert function.spec["timeouts"] == {"connect": "5s", "read": "1min", "write": "1min"}
    assert kafka.kind == "io.statefun.kafka.v1/ingress"
    assert [each["valueType"] for each in kafka.spec["topics"]] == [
        "io.statefun.types/string",
        "type.googleapis.com/shop.Order",
        "type.googleapis.com/google.protobuf.Int32Value",  # its bytes are no built-in int's
    ]
    assert kafka.spec["id"] == "shop/in"
    assert kinesis.kind == "io.statefun.kinesis.v1/ingress"
    assert kinesis.spec["streams"][0]["valueType"] == "shop/Name"
    assert out.spec["deliverySemantic"] == {
        "type": "exactly-once",
        "transactionTimeout": "900000ms",
    }
    assert records.kind == "io.statefun.kinesis.v1/egress"
    today = read_module(write_module(map(of_today, [function, kafka, kinesis, out, records])))
    assert [each.kind for each in today][:2] == ["io.statefun.endpoints.v1/http", kafka.kind]
    assert "states" not in today[0].spec
    assert [each.spec for each in today[1:]] == [d.spec for d in (kafka, kinesis, out, records)]


def test_what_is_written_as_2_0_is_read_back():
    documents = read_module(OF_2)
    again = read_module(write_older(documents))
    assert [(d.kind, d.spec) for d in again[:3]] == [(d.kind, d.spec) for d in documents[:3]]
    left = write_older(read_module("kind: io.statefun.playground.v1/ingress\nspec: {port: 8090}\n"))
    assert "# There is no such thing in 2.0: io.statefun.playground.v1/ingress" in left


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (('version: "2.0"', 'version: "2.1"'), "line 1: version '2.1' is not known"),
        (("kind: http", "kind: grpc"), "line 9: kind: grpc was never called.* write kind: http"),
        (("kind: http", "kind: smtp"), "line 9: unknown kind 'smtp'"),
        (("type: shop/cart", "type: cart"), "line 10: 'cart' is not a typename"),
        (("endpoint:", "url:"), "line 12: the spec of shop/cart lacks endpoint"),
        (("60000millisecond", "soon"), "line 15: expireAfter: 'soon' is not a duration"),
        (("after-write", "after-read"), "line 16: unknown expireMode 'after-read'; known are"),
        (("- name: paid", "- 5"), "line 19: a state has a name"),
        (("expireAfter: 60000millisecond", "expireafter: 1min"), "line 16: the state 'items' has"),
        (("name: owner", "name: items"), "line 17: the state 'items' is declared in line 14, too"),
        (("type: shop/cart", "type: shop/*"), "line 10: 'shop/\\*': before 3.0 each function"),
        (("type: remote", "type: embedded"), "line 4: a module of type 'embedded' is Java's"),
        (("            id: shop/in\n", ""), "line 26: meta has no id"),
        (
            ("            states:\n", "            states: 5\n            more:\n"),
            "a list of names",
        ),
        (
            ("statefun.kafka.io/routable-protobuf-ingress", "statefun.kafka.io/protobuf-ingress"),
            "line 26: .* write statefun.kafka.io/routable-protobuf-ingress",
        ),
        (("statefun.kafka.io/generic-egress", "my/egress"), "line 62: unknown 'my/egress'"),
        (("typeUrl: shop/Name", "type: shop/Name"), "each of streams has typeUrl"),
        (
            ("    ingresses:", "    routers:\n      - router: {}\n    ingresses:"),
            "line 24: routers: of a protobuf-ingress",
        ),
        (("    functions:\n      - function:", "    functions:\n      function:"), "is a list"),
        (("    functions:\n      - function:", "    functions:\n      - fun:"), "has no function:"),
        (("    functions:\n", "    endpoints: []\n    functions:\n"), "are of version 3.0"),
        (("            address: kafka:9092\n            del", "            del"), "lacks address"),
    ],
)
def test_what_is_wrong_is_named_with_its_line_and_the_way_out(change, says):
    assert change[0] in OF_2
    with pytest.raises(sf.DeclarationError, match=says):
        read_module(OF_2.replace(*change))


def test_what_it_does_not_know_is_noted():
    document, *_ = read_module(OF_2.replace("connectTimeout", "conectTimeout"))
    (note,) = document.notes
    assert note == (
        "line 20: shop/cart has no 'conectTimeout', only connectTimeout, endpoint, "
        "maxNumBatchRequests, readTimeout, states, timeout, writeTimeout"
    )


UNKNOWN = {
    "the document has no 'foo', only module, version": ("module:\n", "foo: 1\nmodule:\n"),
    "module has no 'foo'": ("  spec:\n", "  foo: 1\n  spec:\n"),
    "meta has no 'kind', only type": ("    type: remote", "    type: remote\n    kind: http"),
    "the spec of module has no 'egreses'": ("    egresses:", "    egreses:"),
    "an item of functions has no 'also'": (
        "      - function:",
        "      - also: 1\n        function:",
    ),
    "function has no 'extra', only meta, spec": (
        "          meta:\n            kind: http",
        "          extra: 3\n          meta:\n            kind: http",
    ),
    "meta has no 'more', only kind, type": ("kind: http", "kind: http\n            more: 1"),
    "the state 'paid' has no 'expireafter', only expireAfter, expireMode, name": (
        "- name: paid",
        "- {name: paid, expireafter: 1min}",
    ),
    "shop/cart has no 'urlPathTemplate'": (
        "states:",
        "urlPathTemplate: http://B\n            states:",
    ),
    "shop/cart has no 'functions'": ("states:", "functions: c/*\n            states:"),
    "an item of topics has no 'valueType'": (
        "- topic: names",
        "- topic: names\n                valueType: a/b",
    ),
    "routable-protobuf-ingress has no 'id'": (
        "consumerGroupId",
        "id: a/b\n            consumerGroupId",
    ),
    "deliverySemantic has no 'transactionTimeout', only": (
        "type: exactly-once",
        "type: exactly-once\n              transactionTimeout: 1s",
    ),
}


@pytest.mark.parametrize("says", UNKNOWN)
def test_a_key_of_another_level_or_of_today_is_noted_with_its_line_and_changes_nothing(says):
    old, new = UNKNOWN[says]
    assert old in OF_2
    changed = OF_2.replace(old, new, 1)
    line = 1 + next(
        index
        for index, (a, b) in enumerate(zip(changed.splitlines(), OF_2.splitlines(), strict=False))
        if a != b
    )
    documents = read_module(changed)
    (note,) = [note for document in documents for note in document.notes]
    assert says in note
    assert line <= int(note.split()[1].rstrip(":")) <= line + 1
    known = read_module(OF_2)[: len(documents)]  # without the egresses of `egreses:`
    assert [(d.kind, d.spec) for d in documents] == [(d.kind, d.spec) for d in known]


def test_a_module_whose_lists_have_other_names_says_so():
    text = OF_2.partition("    ingresses:")[0].replace("functions:", "functionz:")
    with pytest.raises(sf.DeclarationError, match="has no 'functionz', only egresses, functions"):
        read_module(text)


IN_ONE_LINE = '{function: {meta: {kind: http, type: a/b}, spec: {endpoint: "http://x:%d/"}}}'


@pytest.mark.parametrize(
    "functions",
    [f"[{IN_ONE_LINE % 1}, {IN_ONE_LINE % 2}]", f"[&f {IN_ONE_LINE % 1}, *f]"],
    ids=["two", "alias"],
)
def test_a_function_that_is_declared_twice_in_one_line_is_refused(functions):
    with pytest.raises(sf.DeclarationError, match="line 2: the endpoint a/b is declared twice"):
        read_module(f'version: "2.0"\nmodule: {{spec: {{functions: {functions}}}}}\n')


def test_states_that_are_declared_alike_are_one():
    (document,) = read_module(OF_1.replace("- owner", "- items"))
    assert [each.name for each in state_specs(document)] == ["items"]


def test_a_session_writes_the_module_of_its_functions_for_2_0(functions):
    @sf.function(
        "shop/cart",
        state={"items": sf.State(int, expire_after_write=timedelta(minutes=1)), "owner": str},
        functions=functions,
    )
    def cart(ctx, message): ...

    sf.function("shop/till", functions=functions)(cart)
    with sf.start(port=0, functions=functions) as session:
        session.load_module(OF_1.replace("shop/cart", "far/cart"))
        today = session.module_yaml()
        (served_here,) = read_module(today)
        assert served_here.spec == {"functions": "shop/*", "urlPathTemplate": session.url}
        assert today.endswith(
            "# Left out, as an endpoint of StateFun 2.x: far/cart at "
            "'http://127.0.0.1:8000/statefun'\n"
        )
        cart_, till, far = read_module(session.module_yaml(version="2.0"))
        assert far.spec["functions"] == "far/cart"
        assert till.spec == {"functions": "shop/till", "urlPathTemplate": session.url_v2}
        assert cart_.spec["states"] == [
            {"name": "items", "expireAfter": "60000millisecond", "expireMode": "after-write"},
            {"name": "owner"},
        ]
        with pytest.raises(sf.SessionError, match="version= is"):
            session.module_yaml(version="2.1")  # type: ignore[arg-type]
