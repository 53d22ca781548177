"""Requests a second of an SDK's handler, without a server: its ``handle_sync``, one by one.

``python sync.py MODULE SECONDS REQUEST``, the request in hexadecimal; the greeter's person as
in peer.py.
"""

import importlib
import sys
import time

name, seconds, body = sys.argv[1], float(sys.argv[2]), bytes.fromhex(sys.argv[3])
sdk = importlib.import_module(name)
functions = sdk.StatefulFunctions()


@functions.bind(typename="example/person", specs=[sdk.ValueSpec("visits", sdk.LongType)])
def person(context, message):
    visits = (context.storage.visits or 0) + 1
    context.storage.visits = visits
    text = f"{message.as_string()} x{visits}"
    context.send(sdk.message_builder("example/greeter", context.address.id, str_value=text))


handle = sdk.RequestReplyHandler(functions).handle_sync
for _ in range(50):
    handle(body)
count, start = 0, time.perf_counter()
while (now := time.perf_counter()) - start < seconds:
    for _ in range(50):
        handle(body)
    count += 50
print(count / (now - start))
