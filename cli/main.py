"""The `ofrecord` command: one file per subcommand, each importing what it needs only when it runs."""

from __future__ import annotations

import typer

from cli.custody import custody
from cli.fsck import fsck
from cli.integrate import integrate
from cli.migrate import migrate
from cli.propose import propose
from cli.replay import replay
from cli.report import report
from cli.rotate import rotate
from cli.run import run
from cli.schedule import schedule
from cli.secrets import secrets
from cli.serve import serve
from cli.token import token
from cli.verify import verify
from cli.witness import witness
from cli.work import work

app = typer.Typer(
    name="ofrecord",
    help="Explanations of record: exact reasons for automated decisions, committed to a provable log.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
_SERVING = (run, serve, work, propose, schedule, integrate, custody)
_ASKING = (migrate, secrets, fsck, verify, replay, report)
for _command in (*_SERVING, *_ASKING):
    app.command()(_command)
app.add_typer(token, name="token")
app.add_typer(rotate, name="rotate")
app.add_typer(witness, name="witness")


if __name__ == "__main__":
    app()
