"""`ofrecord serve`: the online API."""

from __future__ import annotations

import socket
from typing import Annotated

import typer

from cli.starting import load, refuse_to_forget, told_in_one_line
from runtime.settings import SERVICE_NEEDS

_GRACE_SECONDS = 15


def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.", min=0, max=65535)] = 8321,
    descriptor: Annotated[
        int, typer.Option(help="An open listening socket to use instead.", hidden=True)
    ] = -1,
) -> None:
    """Answer HTTP requests."""
    with told_in_one_line():
        settings = load("api", needs=SERVICE_NEEDS)
        refuse_to_forget(settings)
        import uvicorn  # noqa: PLC0415

        from cli.connections import BoundedHttp  # noqa: PLC0415
        from runtime.memory import keep_for_good  # noqa: PLC0415
        from service.app import create_app  # noqa: PLC0415

        config = uvicorn.Config(
            create_app(settings, when_warm=keep_for_good),
            host=host,
            port=port,
            loop="uvloop",
            http=BoundedHttp,
            ws="none",
            log_config=None,
            access_log=False,  # paths may hold the caller's decision ids
            server_header=False,
            timeout_graceful_shutdown=_GRACE_SECONDS,
        )
        given = [socket.socket(fileno=descriptor)] if descriptor >= 0 else None
        uvicorn.Server(config).run(sockets=given)
