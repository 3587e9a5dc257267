"""Tell whether somebody accepts connections: `accepting.py /run/ofrecord/propose.sock`, `accepting.py 8322`.

The health check of the counterfactual server and of the witness. It asks for nothing and hangs up at once.
"""

from __future__ import annotations

import socket
import sys

_SECONDS = 2.0


def accepting(where: str) -> bool:
    """Tell whether a connection is taken at a Unix socket's path, or at a port of this machine."""
    family, address = (
        (socket.AF_INET, ("127.0.0.1", int(where))) if where.isdigit() else (socket.AF_UNIX, where)
    )
    with socket.socket(family) as asking:
        asking.settimeout(_SECONDS)
        try:
            asking.connect(address)
        except OSError:  # nobody, not yet, or so many waiting that one more is refused
            return False
    return True


if __name__ == "__main__":
    sys.exit(0 if accepting(sys.argv[1]) else 1)
