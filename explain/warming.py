"""Compiling all kernels ahead of the first explanation: `python -m explain.warming DIRECTORY`.

Run at install, into a directory that the service may write (or with NUMBA_CACHE_DIR naming one).
"""

from __future__ import annotations

import sys
from pathlib import Path

from explain.attribution.warm import stump, warm, warm_games
from explain.counterfactual.warm import warm_search


def warm_answers(cache_dir: Path | None) -> None:
    """Compile what an answer needs, or load it from `cache_dir`/kernels: the attribution, the search."""
    warm(cache_dir)
    warm_search(stump())


def main(arguments: list[str]) -> None:
    """Warm the directory named on the command line."""
    directory = Path(arguments[0]) if arguments else None
    warm_answers(directory)
    warm_games(directory)


if __name__ == "__main__":
    main(sys.argv[1:])
