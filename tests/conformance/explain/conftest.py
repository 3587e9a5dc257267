"""Kernels compiled once and kept between test runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from explain.attribution.warm import warm


@pytest.fixture(scope="session", autouse=True)
def compiled_kernels(request: pytest.FixtureRequest) -> None:
    cache = getattr(request.config, "cache", None)
    warm(None if cache is None else Path(cache.mkdir("ofrecord")))
