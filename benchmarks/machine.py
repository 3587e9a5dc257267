"""Where and with what a benchmark ran."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = (
    "xgboost-cpu",
    "lightgbm",
    "catboost",
    "scikit-learn",
    "shap",
    "dice-ml",
    "fasttreeshap-fixed",
    "woodelf-explainer",
    "numba",
    "numpy",
)


def machine() -> dict[str, str]:
    """Name the processor, the Python and the libraries."""
    facts = {
        "date": datetime.now(UTC).date().isoformat(),
        "processor": _processor(),
        "cores": str(len(os.sched_getaffinity(0))),
        "python": platform.python_version(),
    }
    for package in PACKAGES:
        try:
            facts[package] = version(package)
        except PackageNotFoundError:
            facts[package] = "not installed"
    return facts


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
