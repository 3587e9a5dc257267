"""The worker's application: light to import, JSON only, and told to stop without a lock."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from runtime.broker import EVALUATE
from runtime.settings import Settings
from workers.app import create_worker
from workers.policy import Policy

ROOT = Path(__file__).resolve().parents[3]
SETTINGS = Settings(broker_url="redis://127.0.0.1:1/0")


def _python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )


def test_the_application_is_light_until_a_task_runs() -> None:
    code = (
        "import sys, workers.app\n"
        "from runtime.settings import Settings\n"
        "workers.app.create_worker(Settings(broker_url='redis://127.0.0.1:1/0'))\n"
        "heavy = {'xgboost', 'numba', 'numpy', 'pyarrow', 'pandas', 'psycopg', 'pydantic'}\n"
        "print(*sorted(heavy & set(sys.modules)))\n"
    )
    ran = _python(code)
    assert (ran.returncode, ran.stdout.split()) == (0, []), ran.stderr


def test_the_queue_carries_json_and_keeps_nothing() -> None:
    app = create_worker(SETTINGS, Policy(hard_seconds=7.0))
    assert app.conf.accept_content == ["json"]
    assert app.conf.task_serializer == "json"
    assert app.conf.task_acks_late
    assert app.conf.worker_prefetch_multiplier == 1
    assert app.conf.task_ignore_result
    assert app.conf.result_backend is None
    assert not app.conf.beat_schedule
    task = app.tasks[EVALUATE]
    assert (task.time_limit, task.ignore_result) == (7.0, True)


def test_a_flag_set_by_the_parent_is_seen_by_a_forked_child() -> None:
    ran = _python(
        "import os, time\n"
        "from workers.app import SharedFlag\n"
        "flag = SharedFlag()\n"
        "assert not flag.is_set()\n"
        "if child := os.fork():\n"
        "    flag.set()\n"
        "    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))\n"
        "else:\n"
        "    end = time.monotonic() + 10\n"
        "    while not flag.is_set() and time.monotonic() < end: time.sleep(0.01)\n"
        "    os._exit(7 if flag.is_set() else 8)\n"
    )
    assert ran.stdout.split() == ["7"], ran.stderr


def test_a_lease_outlives_many_heartbeats_and_pauses_grow_to_a_bound() -> None:
    policy = Policy()
    assert policy.lease.total_seconds() >= 10 * policy.heartbeat_seconds
    assert policy.work_seconds < policy.hard_seconds
    assert [policy.pause(n).total_seconds() for n in (1, 2, 3, 20)] == [2, 4, 8, policy.longest_pause_seconds]
