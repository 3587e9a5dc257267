"""Folders in memory, for servers whose files need not outlive the tests."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - used only through folders of our own
ENOUGH_BYTES = 4 << 30
NAMED = re.compile(r"ofr-(\d+)-.*")


@contextmanager
def folder_in_memory(*, otherwise: Path) -> Iterator[Path]:
    """Yield a short folder that other accounts can enter; `otherwise` where memory is short."""
    if not usable(SHARED_MEMORY):
        yield otherwise
        return
    forget_dead_sessions(SHARED_MEMORY)
    folder = Path(tempfile.mkdtemp(prefix=f"ofr-{os.getpid()}-", dir=SHARED_MEMORY))
    folder.chmod(0o711)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def usable(root: Path) -> bool:
    """Whether there is room, and programs may be run there: servers bring theirs along."""
    try:
        found = os.statvfs(root)
    except OSError:
        return False
    runs = not found.f_flag & (os.ST_NOEXEC | os.ST_RDONLY)
    return runs and os.access(root, os.W_OK) and found.f_bavail * found.f_frsize >= ENOUGH_BYTES


def forget_dead_sessions(root: Path) -> None:
    """Remove what killed sessions left behind: it would take memory until the machine starts again."""
    for folder in root.iterdir():
        named = NAMED.fullmatch(folder.name)
        if named and not Path(f"/proc/{named[1]}").exists() and folder.stat().st_uid == os.getuid():
            shutil.rmtree(folder, ignore_errors=True)
