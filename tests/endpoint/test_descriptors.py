"""More clients than the process may have descriptors, and as many as come at once."""

from __future__ import annotations

import resource
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from statefun_nb.endpoint.http_server import LOOPBACK, bind_port

PROGRAM = """
import errno, logging, resource, socket, time
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
while True:
    try:
        client = socket.create_connection(("127.0.0.1", session.endpoint.port), timeout=30)
        break
    except OSError as error:  # the last ones are accepted, and not yet seen to be gone
        if error.errno != errno.EMFILE:
            raise
        time.sleep(0.05)
with client:
    client.sendall(b"GET /health HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n")
    print(client.recv(100).split(b"\\r\\n")[0].decode())
session.stop()
"""


def test_the_log_has_one_line_and_the_endpoint_goes_on():
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "HTTP/1.1 200 OK\n", done.stderr
    lines = [line for line in done.stderr.splitlines() if "socket.accept()" in line]
    assert len(lines) == 1, done.stderr
    assert "Traceback" not in done.stderr


def test_as_many_as_two_tasks_of_statefun_2_open_at_once_find_a_place():
    """Before the first is accepted; the next try of one that finds none is a second later."""
    clients = 2 * 1024
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = Path("/proc/sys/net/core/somaxconn")
    if not limit.exists() or int(limit.read_text()) < clients or 0 <= hard < clients + 500:
        pytest.skip("the system has no room for so many")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, clients + 500), hard))
    listener = bind_port(LOOPBACK, 0)
    opened = []
    try:
        for _ in range(clients):
            opened.append(socket.create_connection(listener.getsockname(), timeout=0.9))  # noqa: PERF401 - closed if a later one fails
    finally:
        for each in (*opened, listener):
            each.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
