"""A real uvicorn on a real socket: limits on bodies are only worth testing where bodies arrive in pieces."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import httpx
import pytest
import uvicorn
from fastapi import FastAPI


@contextmanager
def _serving(app: FastAPI) -> Iterator[httpx.Client]:
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        app, log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=2
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.005)
    host, port = listener.getsockname()
    with httpx.Client(base_url=f"http://{host}:{port}", trust_env=False, timeout=20) as client:
        yield client
    server.should_exit = True
    thread.join()
    listener.close()


@pytest.fixture
def serve() -> Iterator[Callable[[FastAPI], httpx.Client]]:
    """Gives a function that serves an application and returns a client of it."""
    with ExitStack() as stack:
        yield lambda app: stack.enter_context(_serving(app))
