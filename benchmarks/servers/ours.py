"""The greeter on our endpoint; prints its port, and serves until its input ends."""

from __future__ import annotations

import sys

import statefun_nb as sf
from statefun_nb.demos.greeter import greeter_functions

with sf.start(port=0, functions=greeter_functions()) as session:
    print(session.endpoint.port, flush=True)
    sys.stdin.read()
