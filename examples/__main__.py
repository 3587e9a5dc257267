"""Trains an example, registers it with a running service and prints the explanation of one decision.

Run as `python -m examples clinical URL TOKEN_FILE`.
"""

from __future__ import annotations

import json
import sys
from importlib import import_module
from pathlib import Path

import httpx
import typer

from examples.registering import ExampleRefused, register_and_explain

NAMES = ("lending", "clinical")
USAGE = f"usage: python -m examples {'|'.join(NAMES)} URL TOKEN_FILE"


def main(arguments: list[str]) -> int:
    """Return the exit status: 0 when an explanation was printed, 1 when it was refused, 2 when misused."""
    if len(arguments) != 3 or arguments[0] not in NAMES:
        typer.echo(USAGE, err=True)
        return 2
    name, url, token_file = arguments
    try:
        token = Path(token_file).read_text(encoding="utf-8").strip()
        bundle = import_module(f"examples.{name}").build()
        answer = register_and_explain(url, token, bundle, say=lambda doing: typer.echo(doing, err=True))
    except (OSError, httpx.TransportError, ExampleRefused) as error:
        typer.echo(f"examples: {error}", err=True)
        return 1
    typer.echo(json.dumps(answer, indent=1, ensure_ascii=False))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
