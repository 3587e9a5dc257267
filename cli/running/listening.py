"""The listening socket, held by the supervisor so that a restarted API misses no connection."""

from __future__ import annotations

import json
import socket
import urllib.error
import urllib.request

from runtime.errors import PortTaken

_BACKLOG = 2048


def listen(host: str, port: int) -> socket.socket:
    """Take the address now, or say at once that somebody else has it."""
    try:
        family, kind, proto, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        taken = socket.socket(family, kind, proto)
    except OSError as error:
        raise PortTaken(host, port, error.strerror or str(error)) from error
    try:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(address)
        taken.listen(_BACKLOG)
    except OSError as error:
        taken.close()
        raise PortTaken(host, port, error.strerror or str(error)) from error
    return taken


def address_of(taken: socket.socket) -> str:
    """Return the address a browser on this machine can use."""
    host, port = taken.getsockname()[:2]
    if host in ("0.0.0.0", "::"):  # noqa: S104 - compared, not bound
        host = "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def readiness(url: str) -> tuple[bool, str]:
    """Ask `/readyz`; return whether it is ready, and what it says otherwise."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"{url}/readyz", timeout=2.0) as answer:
            return answer.status == 200, ""
    except urllib.error.HTTPError as error:
        try:
            return False, str(json.loads(error.read()).get("detail", ""))
        except (ValueError, AttributeError):
            return False, f"status {error.code}"
    except OSError as error:
        return False, str(error)
