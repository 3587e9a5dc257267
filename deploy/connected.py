"""Tell whether this container holds an established connection to one of these ports: `connected.py 5432`.

The health check of the roles that listen on nothing. It reads the table of the kernel and asks nobody, so
that a hundred containers asking every few seconds cost the database nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
ESTABLISHED = "01"


def remote_ports(lines: Iterable[str]) -> set[int]:
    """Return the remote ports of established connections in one of the kernel's tables."""
    rows = (line.split() for line in lines)
    return {int(row[2].rpartition(":")[2], 16) for row in rows if len(row) > 3 and row[3] == ESTABLISHED}


def connected(wanted: set[int], tables: Iterable[Path] = TABLES) -> bool:
    """Tell whether any table shows a connection to a wanted port."""
    return any(
        remote_ports(table.read_text(encoding="ascii").splitlines()) & wanted
        for table in tables
        if table.exists()
    )


if __name__ == "__main__":
    sys.exit(0 if connected({int(port) for port in sys.argv[1:]}) else 1)
