"""Children that answer, and children that must be killed."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from registry.disposable import Children, Ended, Stopped
from tests.oracles.examinations import begun, gone, until


def run(children: Children, program: str, sent: bytes = b"", **limits: float) -> Ended:
    return children.run(
        [sys.executable, "-S", "-c", program],
        [sent],
        environment={},
        folder=Path("/"),
        seconds=limits.get("seconds", 60),
        most_bytes=int(limits.get("most_bytes", 1 << 24)),
    )


def test_bytes_go_in_and_come_out() -> None:
    sent = os.urandom(3 << 20)
    ended = run(Children(), "import sys; sys.stdout.buffer.write(sys.stdin.buffer.read()[::-1])", sent)
    assert ended == Ended(sent[::-1], 0)


def test_a_child_that_does_not_read_to_the_end_is_no_failure_here() -> None:
    assert run(Children(), "print(1)", bytes(8 << 20)) == Ended(b"1\n", 0)


@pytest.mark.parametrize(
    ("program", "status"),
    [("import sys; sys.exit(7)", 7), ("import os; os.kill(os.getpid(), 11)", -signal.SIGSEGV)],
)
def test_its_end_is_told(program: str, status: int) -> None:
    assert run(Children(), program) == Ended(b"", status)


@pytest.mark.parametrize(
    "program",
    [
        "import time; time.sleep(60)",
        "import os, time; os.close(1); time.sleep(60)",  # it has answered, but does not end
    ],
)
def test_a_child_that_takes_too_long_is_killed(program: str) -> None:
    started = time.monotonic()
    assert run(Children(), program, seconds=0.3).status is None
    assert time.monotonic() - started < 10


def test_a_child_that_says_too_much_is_killed() -> None:
    ended = run(Children(), "while True: print('x' * 1000)", most_bytes=1 << 20)
    assert ended == Ended(b"", None)


def test_what_a_child_started_is_killed_with_it() -> None:
    program = (
        "import os, time\n"
        "pid = os.fork()\n"
        "if not pid: os.close(1); time.sleep(60)\n"
        "print(pid, flush=True); os._exit(0)\n"
    )
    pid = int(run(Children(), program).said)
    until(lambda: gone(pid))


def test_closing_kills_what_runs_and_takes_no_more(tmp_path: Path) -> None:
    children, raised = Children(), []
    told = tmp_path / "pid"

    def wait() -> None:
        try:
            run(
                children, f"import os, time; open({str(told)!r}, 'w').write(str(os.getpid())); time.sleep(60)"
            )
        except Stopped as stopped:
            raised.append(stopped)

    thread = threading.Thread(target=wait)
    thread.start()
    until(lambda: begun(told))
    children.close()
    thread.join(timeout=30)
    assert len(raised) == 1
    assert gone(int(told.read_text()))
    with pytest.raises(Stopped):
        run(children, "print(1)")
