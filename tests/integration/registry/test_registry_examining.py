"""A registration is examined in a child: what it passes back, and every way in which the child may end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from explain.errors import ExplainError, ManifestContradiction, ModelCorrupt, ModelUnsupported
from registry import disposable, examining
from registry.errors import ExaminationFailed, ExaminationStarved, ExaminationStopped, ReferenceInvalid
from registry.examining import Examiner, Limits, environment
from registry.manifests import parse_manifest
from registry.preparing import PreparedVersion
from registry.version_row import VersionContent
from tests.oracles.examinations import begun, gone, let_loading, sleeping, until


class Registration:
    """The specification's example, to be examined."""

    def __init__(self, manifest: bytes, artifact: bytes, reference: bytes, cache_dir: Path) -> None:
        self.manifest, self.artifact, self.reference = manifest, artifact, reference
        self.cache_dir = cache_dir

    def examined(self, **limits: Any) -> VersionContent:
        examiner = Examiner(cache_dir=self.cache_dir, limits=Limits(**limits))
        return examiner.examine(parse_manifest(self.manifest), self.artifact, self.reference, None)

    def refusal(self, kind: type[Exception] = ModelCorrupt, **limits: Any) -> Exception:
        with pytest.raises(kind) as caught:
            self.examined(**limits)
        return caught.value


@pytest.fixture
def registration(
    example_manifest: bytes, example_upload: tuple[bytes, bytes], cache_folder: Path
) -> Registration:
    return Registration(example_manifest, *example_upload, cache_folder)


@pytest.fixture
def loading(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], None]:
    """Gives `loading(body)`: in the child, loading a model does this instead."""
    return partial(let_loading, monkeypatch, tmp_path)


def test_what_is_stored_is_what_an_examination_in_this_process_finds(
    registration: Registration, prepared: PreparedVersion
) -> None:
    there, here = registration.examined(), prepared.content
    for name in ("identity", "family", "profile", "reference_digest", "reference_kind", "reference_rows",
                 "reference_band", "catalogue", "blobs"):  # fmt: skip
        assert getattr(there, name) == getattr(here, name), name
    reports = [json.loads(content.capability) for content in (there, here)]
    assert [report.pop("latency_median_ms") > 0 for report in reports] == [True, True]
    assert reports[0] == reports[1]


def test_its_tables_wait_for_every_process_that_loads_it(
    registration: Registration, prepared: PreparedVersion, tmp_path: Path
) -> None:
    registration.cache_dir = tmp_path
    registration.examined()
    (tables,) = tmp_path.glob("treeshap-*")
    assert tables.stat().st_size > prepared.loaded.shap.storage.table_bytes


def test_a_file_that_crashes_the_native_loader_is_refused_before_it_gets_there(
    registration: Registration, tmp_path: Path
) -> None:
    document = json.loads(registration.artifact)
    tree = document["learner"]["gradient_booster"]["model"]["trees"][0]
    tree["left_children"][0] = 1 << 29
    registration.artifact = json.dumps(document).encode()
    (tmp_path / "hostile.json").write_bytes(registration.artifact)
    program = (
        "import numpy as np, xgboost\n"
        "booster = xgboost.Booster({'nthread': 1}, model_file='hostile.json')\n"
        "booster.inplace_predict(np.zeros((1, 4)), validate_features=False)\n"
    )
    told = environment(None)
    native = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, env=told, check=False)
    assert native.returncode == -signal.SIGSEGV
    assert "child" in str(registration.refusal())


@pytest.mark.parametrize(
    "end",
    [
        ("import ctypes; ctypes.string_at(0)", {}, "the native library crashed on it (signal 11)"),
        ("import os; os.abort()", {}, "the native library crashed on it (signal 6)"),
        ("import os; os.kill(os.getpid(), 9)", {}, "for want of memory"),
        ("import os; os._exit(3)", {}, "could not load and run it"),
        ("return bytearray(1 << 30)", {"memory_bytes": 1 << 30}, "more memory than an examination may have"),
        ("while True: pass", {"cpu_seconds": 1}, "more than 1 seconds of computing"),
        ("import time; time.sleep(60)", {"seconds": 2.0}, "takes more than 2 seconds"),
        ("raise KeyError('a secret of the applicant')", {}, "it could not be examined (KeyError)"),
        ("import os; os.write(1, b'noise'); raise RecursionError", {}, "examined (RecursionError)"),
        ("import os; os.write(3, b'x' * 99); os._exit(0)", {}, "no readable answer"),
    ],
)
def test_every_end_of_the_child_has_a_sentence(
    registration: Registration,
    loading: Callable[[str], None],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    end: tuple[str, dict[str, Any], str],
) -> None:
    body, limits, sentence = end
    monkeypatch.setattr(disposable, "_starved_seconds", lambda _: 0.0)  # whatever else this machine does
    loading(body)
    assert sentence in str(registration.refusal(**limits))
    assert "secret" not in caplog.text


def test_a_disk_that_is_full_is_not_the_artifacts_fault(
    registration: Registration, loading: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    loading("raise OSError(28, 'No space left on device')")
    registration.refusal(ExaminationFailed)
    monkeypatch.setattr(examining.sys, "executable", "/nowhere/python")
    registration.refusal(ExaminationFailed)


def test_a_child_that_was_not_let_run_is_not_the_artifacts_fault(
    registration: Registration, loading: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    loading("import time; time.sleep(60)")
    monkeypatch.setattr(disposable, "_starved_seconds", lambda _: 1.2)
    registration.refusal(ExaminationStarved, seconds=2.0)


def test_time_in_the_queue_for_a_processor_is_counted() -> None:
    busy = "import os, time\nend = time.monotonic() + 1\nwhile time.monotonic() < end: pass"
    pinned = f"import os; os.sched_setaffinity(0, [{min(os.sched_getaffinity(0))}])\n"
    rivals = [subprocess.Popen([sys.executable, "-S", "-c", pinned + busy]) for _ in range(3)]
    try:
        until(lambda: any(disposable._starved_seconds(rival.pid) > 0.1 for rival in rivals))
    finally:
        for rival in rivals:
            rival.wait()


def test_the_child_is_told_nothing_that_opens_anything_and_steps_back(
    registration: Registration,
    loading: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    told = tmp_path / "told.json"
    monkeypatch.setenv("OFRECORD_DATABASE_URL", "postgresql://of:record@nowhere")
    monkeypatch.setenv("SOME_SECRET", "x")
    loading(
        "import json, os, resource\n"
        f"with open({str(told)!r}, 'w') as file: json.dump({{\n"
        "  'names': sorted(os.environ), 'policy': os.sched_getscheduler(0), 'nice': os.nice(0),\n"
        "  'group': os.getpgid(0) == os.getpid(), 'core': resource.getrlimit(resource.RLIMIT_CORE),\n"
        "  'files': [os.readlink(f'/proc/self/fd/{fd}') for fd in os.listdir('/proc/self/fd')\n"
        "            if os.path.exists(f'/proc/self/fd/{fd}')]}, file)\n"
        "os._exit(3)\n"
    )
    registration.refusal()
    seen = json.loads(told.read_text())
    assert not [name for name in seen["names"] if name.startswith("OFRECORD_") or "SECRET" in name]
    assert set(seen["names"]) <= {*examining.PASSED_ON, *examining.ONE_THREAD, "PYTHONPATH", "LC_CTYPE"}
    assert (seen["policy"], seen["nice"], seen["group"], seen["core"]) == (os.SCHED_IDLE, 19, True, [0, 0])
    assert not [name for name in seen["files"] if name.startswith("socket:")]


def test_stopping_ends_what_is_under_way(
    registration: Registration, loading: Callable[[str], None], tmp_path: Path
) -> None:
    told = tmp_path / "pid"
    loading(sleeping(told))
    examiner = Examiner(cache_dir=None)
    raised: list[Exception] = []

    def examine() -> None:
        try:
            examiner.examine(
                parse_manifest(registration.manifest), registration.artifact, registration.reference, None
            )
        except ExaminationStopped as stopped:
            raised.append(stopped)

    thread = threading.Thread(target=examine)
    thread.start()
    until(lambda: begun(told))
    examiner.close()
    thread.join(timeout=30)
    assert len(raised) == 1
    assert gone(int(told.read_text()))


def test_the_child_dies_with_a_process_that_is_killed(
    registration: Registration, loading: Callable[[str], None], tmp_path: Path
) -> None:
    """Nobody closes anything when the service is killed outright."""
    told = tmp_path / "pid"
    loading(sleeping(told))
    (tmp_path / "manifest.yaml").write_bytes(registration.manifest)
    program = (
        "import pathlib, registry.examining as examining\n"
        "from registry.manifests import parse_manifest\n"
        "given = examining.environment\n"
        f"examining.environment = lambda _: given(None) | {{'PYTHONPATH': '{tmp_path}:{examining.ROOT}'}}\n"
        "manifest = parse_manifest(pathlib.Path('manifest.yaml').read_bytes())\n"
        "examining.Examiner(cache_dir=None).examine(manifest, b'', b'', None)\n"
    )
    owner = subprocess.Popen([sys.executable, "-c", program], cwd=tmp_path, env=environment(None))
    until(lambda: begun(told) or owner.poll() is not None)
    owner.kill()
    owner.wait()
    until(lambda: gone(int(told.read_text())))


def test_refusals_come_back_as_themselves(registration: Registration) -> None:
    def refused(kind: type[Exception], **changes: bytes) -> Exception:
        changed = Registration(
            registration.manifest, registration.artifact, registration.reference, registration.cache_dir
        )
        vars(changed).update(changes)
        return changed.refusal(kind)

    manifest, reference = registration.manifest, registration.reference
    contradiction = refused(
        ManifestContradiction, manifest=manifest.replace(b"[single, two_to_four", b"[two_to_four, single")
    )
    assert "'single' in the artifact" in str(contradiction)
    faults = refused(ReferenceInvalid, reference=reference.replace(b"condo", b"castle", 1))
    assert isinstance(faults, ReferenceInvalid)
    assert [fault.pointer.rpartition("/")[2] for fault in faults.errors] == ["property_type"]
    unsupported = refused(ModelUnsupported, artifact=b"")
    assert isinstance(unsupported, ExplainError)
