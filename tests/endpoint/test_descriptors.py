"""More clients than the process may have descriptors."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import logging, resource, socket, time
import statefun_nb as sf

logging.basicConfig(level=logging.WARNING)
session = sf.start(port=0, functions=sf.StatefulFunctions())
_, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (120, hard))
clients = []
late = socket.socket()  # has its descriptor already, and waits to be accepted
try:
    while True:
        clients.append(socket.create_connection(("127.0.0.1", session.endpoint.port)))
except OSError:
    pass
late.connect(("127.0.0.1", session.endpoint.port))
time.sleep(2.5)  # asyncio tries again once a second
for client in (*clients, late):
    client.close()
with socket.create_connection(("127.0.0.1", session.endpoint.port), timeout=30) as client:
    client.sendall(b"GET /health HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n")
    print(client.recv(100).split(b"\\r\\n")[0].decode())
session.stop()
"""


def test_the_log_has_one_line_and_the_endpoint_goes_on():
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=120, check=True
    )
    assert done.stdout == "HTTP/1.1 200 OK\n", done.stderr
    lines = [line for line in done.stderr.splitlines() if "socket.accept()" in line]
    assert len(lines) == 1, done.stderr
    assert "Traceback" not in done.stderr
