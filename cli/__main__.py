"""`python -m cli` is `ofrecord`."""

from __future__ import annotations

from cli.main import app

app(prog_name="ofrecord")
