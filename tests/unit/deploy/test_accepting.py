"""The health check of the counterfactual server and of the witness, against real sockets."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[3] / "deploy" / "accepting.py"


def _ask(where: Path | int) -> int:
    command = [sys.executable, "-S", "-E", str(SCRIPT), str(where)]
    return subprocess.run(command, check=False, timeout=30).returncode


def test_a_listener_counts_and_a_file_it_left_behind_does_not(tmp_path: Path) -> None:
    path = tmp_path / "propose.sock"
    assert _ask(path) == 1
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        assert _ask(path) == 1  # bound, but not listening
        listener.listen()
        assert _ask(path) == 0
    assert path.is_socket()
    assert _ask(path) == 1


def test_a_port_counts_while_somebody_listens() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = int(listener.getsockname()[1])
        assert _ask(port) == 1
        listener.listen()
        assert _ask(port) == 0
    assert _ask(port) == 1
