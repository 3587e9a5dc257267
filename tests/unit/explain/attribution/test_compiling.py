"""Compiled kernels go where they are told, and nowhere else."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[4]

PROGRAM = """
import sys
from pathlib import Path
from explain.attribution import compiling, kernel_listed
import numpy as np
print(compiling.keep_compiled_in(Path(sys.argv[1])))
assert kernel_listed.bit_at(np.full(1, 4, np.uint32), 2)
"""


def run(directory: Path, **environment: str) -> str:
    kept = {name: value for name, value in os.environ.items() if name != "NUMBA_CACHE_DIR"}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(directory)],
        env=kept | environment,
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    return done.stdout.strip()


def test_compiled_code_is_kept_in_the_named_directory(tmp_path: Path) -> None:
    assert run(tmp_path / "kernels") == "True"
    assert list((tmp_path / "kernels").rglob("kernel_listed.bit_at*.nbi"))


def test_damaged_files_are_compiled_anew(tmp_path: Path) -> None:
    run(tmp_path)
    (data,) = tmp_path.rglob("kernel_listed.bit_at*.nbc")
    (index,) = tmp_path.rglob("kernel_listed.bit_at*.nbi")
    for file, cut in ((data, False), (index, False), (index, True)):
        content = bytearray(file.read_bytes())
        content[len(content) // 2] ^= 0x40
        file.write_bytes(content[: len(content) // 3] if cut else content)
        assert run(tmp_path) == "True"
    written = data.stat().st_mtime_ns
    assert run(tmp_path) == "True"
    assert data.stat().st_mtime_ns == written  # taken from disk again


ACROSS_FILES = """
import sys
from dataclasses import replace
from pathlib import Path
from explain.attribution import compiling, walking, warm
import numpy as np
compiling.keep_compiled_in(Path(sys.argv[1]))
stump = replace(warm.stump(), missing=np.ones(3, np.uint8))
print(walking.goes_right(walking.walked(stump), 0, 0.75))
"""


def test_a_change_in_another_file_is_compiled_anew(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "explain", tmp_path / "explain", ignore=shutil.ignore_patterns("__pycache__"))
    command = [sys.executable, "-B", "-c", ACROSS_FILES, str(tmp_path / "kernels")]
    environment = {name: value for name, value in os.environ.items() if name != "NUMBA_CACHE_DIR"}

    def goes_right() -> str:
        done = subprocess.run(
            command, capture_output=True, text=True, check=True, cwd=tmp_path, env=environment
        )
        return done.stdout.strip()

    assert goes_right() == "True"
    ensemble = tmp_path / "explain" / "models" / "ensemble.py"
    text, changes = re.subn(r"(?m)^ZERO_WINDOW = .*$", "ZERO_WINDOW = 1.0", ensemble.read_text())
    assert changes == 1
    ensemble.write_text(text)
    assert goes_right() == "False"  # 0.75 counts as missing now, and the default is left


def test_an_unusable_directory_is_no_error(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_bytes(b"")
    assert run(blocked) == "False"


def test_the_environment_rules(tmp_path: Path) -> None:
    assert run(tmp_path / "ours", NUMBA_CACHE_DIR=str(tmp_path / "theirs")) == "False"
    assert not (tmp_path / "ours").exists()
    assert list((tmp_path / "theirs").rglob("kernel_listed.bit_at*.nbi"))


@pytest.mark.parametrize("module", ["explain.attribution.treeshap", "explain.models.xgboost"])
def test_light_modules_stay_light(module: str) -> None:
    heavy = "{'numba', 'xgboost', 'sklearn', 'pandas', 'scipy'}"
    program = f"import sys, {module}; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    assert done.stdout.strip() == "[]"
