"""The health check of roles without a port, against real connections of this machine's kernel."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[3] / "deploy" / "connected.py"


def _ask(*ports: int) -> int:
    # As the image calls it: without site packages, it has to be quick.
    command = [sys.executable, "-S", "-E", str(SCRIPT), *map(str, ports)]
    return subprocess.run(command, check=False, timeout=30).returncode


def test_a_connection_counts_and_a_listener_does_not() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = int(listener.getsockname()[1])
        assert _ask(port) == 1
        with socket.create_connection(("127.0.0.1", port)):
            assert _ask(port) == 0
            assert _ask(1, port) == 0
            assert _ask(1) == 1
