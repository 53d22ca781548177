"""The greeter on our endpoint; prints its port, and serves until its input ends."""

from __future__ import annotations

import sys

import statefun_nb as sf
from statefun_nb.demos.greeter import greeter_functions

namespace = sys.argv[1] if len(sys.argv) > 1 else "example"
with sf.start(port=0, functions=greeter_functions(namespace)) as session:
    print(session.endpoint.port, flush=True)
    sys.stdin.read()
