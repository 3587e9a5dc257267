"""Tell whether somebody accepts connections at this socket: `accepting.py /run/ofrecord/propose.sock`.

The health check of the counterfactual server. It asks for nothing and hangs up at once.
"""

from __future__ import annotations

import socket
import sys

_SECONDS = 2.0


def accepting(path: str) -> bool:
    """Tell whether a connection is taken."""
    with socket.socket(socket.AF_UNIX) as asking:
        asking.settimeout(_SECONDS)
        try:
            asking.connect(path)
        except OSError:  # nobody, not yet, or so many waiting that one more is refused
            return False
    return True


if __name__ == "__main__":
    sys.exit(0 if accepting(sys.argv[1]) else 1)
