"""What a user sees of the package: its names, their documentation, its errors."""

from __future__ import annotations

import inspect
import subprocess
import sys

import pytest

import statefun_nb as sf
from statefun_nb import errors


def test_the_list_of_names_is_sorted_and_true():
    assert sf.__all__ == sorted(sf.__all__)
    assert all(hasattr(sf, name) for name in sf.__all__)


@pytest.mark.parametrize("name", sf.__all__)
def test_every_name_is_documented(name):
    found = getattr(sf, name)
    if inspect.isclass(found) or inspect.isfunction(found):
        assert inspect.getdoc(found)
    if inspect.isclass(found):
        for attribute, value in vars(found).items():
            if not attribute.startswith("_") and inspect.isfunction(value):
                inherited = any(hasattr(base, attribute) for base in found.__mro__[1:])
                assert inspect.getdoc(value) or inherited, f"{name}.{attribute}"


@pytest.mark.parametrize(
    "function",
    [
        *(sf.Context.send, sf.Context.send_after, sf.Context.send_egress),
        *(sf.Context.cancel_delayed_message, sf.State.get, sf.State.set, sf.Message.as_type),
        *(sf.message_builder, sf.egress_message_builder, sf.kafka_egress_message),
        *(sf.kinesis_egress_message, sf.simple_type, sf.make_json_type, sf.make_protobuf_type),
        *(sf.Session.send, sf.Session.send_many, sf.Session.step, sf.Session.advance),
    ],
    ids=lambda each: each.__qualname__,
)
def test_what_sends_stores_and_converts_says_what_it_raises(function):
    assert "\nRaises\n------\n" in (inspect.getdoc(function) or "")


@pytest.mark.parametrize("name", errors.__all__)
def test_every_error_has_one_root(name):
    assert issubclass(getattr(errors, name), sf.StatefunError)


def test_completion_offers_the_public_names_alone():
    assert dir(sf) == sf.__all__
    with pytest.raises(AttributeError, match="no attribute 'sessions_'"):
        sf.sessions_  # noqa: B018


# Everything that is neither of Python itself nor one of these is not there.
LIGHT = """
import sys

ALLOWED = {"statefun_nb", "google"}
ALLOWED |= {"cattrs", "cattr", "attrs", "attr", "typing_extensions", "exceptiongroup"}

class Only:
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if top in ALLOWED or top in sys.stdlib_module_names:
            return None
        raise ModuleNotFoundError(f"{name} is not there", name=name)

sys.meta_path.insert(0, Only())
import dataclasses
from pathlib import Path

import statefun_nb as sf
import statefun_nb.serverless
import statefun_nb.testing

@dataclasses.dataclass
class Cart:
    items: int

@sf.function("light/plain", state={"n": int, "cart": Cart})
def plain(ctx, message):
    ctx.storage.n = (ctx.storage.n or 0) + message.value
    ctx.storage.cart = Cart(ctx.storage.n)
    ctx.send("light/other", "b", ctx.storage.cart.items)

@sf.function("light/class")
class InClass(sf.StatefulFunction):
    n = sf.State(int)
    def invoke(self, ctx, message):
        self.n.set(message.value)

functions = sf.StatefulFunctions()
@functions.bind("light/bound", [sf.ValueSpec("n", sf.IntType)])
async def bound(ctx, message):
    ctx.storage.n = message.as_int()

from statefun_nb.address import address_of
from statefun_nb.protocol.v3 import decode_reply, encode_request
from statefun_nb.protocol.wire import typed_value_bytes
from statefun_nb.sdk.functions import default_functions
from statefun_nb.sdk.messages import typed_value

def served(functions, typename, tpe, *names):
    message = typed_value_bytes(typed_value(tpe, 3))
    request = encode_request(address_of(typename, "a"), dict.fromkeys(names), [(None, message)])
    return decode_reply(sf.RequestReplyHandler(functions).handle_sync(request))

assert len(served(default_functions, "light/plain", sf.LongType, "n", "cart").mutations) == 2
assert len(served(default_functions, "light/class", sf.LongType, "n").mutations) == 1
assert len(served(functions, "light/bound", sf.IntType, "n").mutations) == 1
handler = statefun_nb.serverless.lambda_handler(functions)
assert handler({"httpMethod": "POST", "path": "/", "body": ""})["statusCode"] == 400
(case,) = statefun_nb.testing.recorded(Path(sys.argv[1]))
case.check(default_functions)
try:
    sf.start
except ModuleNotFoundError as error:
    print(error.name)
"""


def test_functions_are_declared_served_and_tested_with_protobuf_and_cattrs_alone(tmp_path):
    """The session asks for the rest, and only when it is asked for."""
    recorded = tmp_path / "recorded.jsonl"
    three = '{"type": "io.statefun.types/long", "value": 3}'
    recorded.write_text(
        '{"function": "light/class", "id": "a", "caller": null, "state": {}, '
        f'"message": {three}, "effects": {{"state": {{"n": {three}}}, "sent": [], '
        '"delayed": [], "cancelled": [], "egress": [], "error": null}}\n'
    )
    command = [sys.executable, "-c", LIGHT, str(recorded)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.strip() in ("httptools", "tornado")


def test_importing_starts_nothing():
    code = (
        "import threading, sys\n"
        "import statefun_nb\n"
        "assert threading.active_count() == 1\n"
        "assert sys.stdout is sys.__stdout__\n"
        "late = {'IPython', 'pandas', 'asyncio', 'tornado', 'yaml', 'tqdm', 'cattrs'}\n"
        "assert not late & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
