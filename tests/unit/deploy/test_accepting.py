"""The health check of the counterfactual server, against real sockets."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[3] / "deploy" / "accepting.py"


def _ask(path: Path) -> int:
    command = [sys.executable, "-S", "-E", str(SCRIPT), str(path)]
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
