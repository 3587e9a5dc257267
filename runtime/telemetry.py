"""What a running process tells: JSON lines on standard error, and the numbers under `/metrics`.

Logs are for operators, not for the record: they never hold features, references to subjects, decision ids or
secrets. Extra fields are therefore an allow-list, and of an exception only its class and place are written,
because messages of libraries quote the values they choke on.
"""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime

import orjson

from runtime.errors import OperationError

SAFE_FIELDS = frozenset(
    {
        "attempt", "backoff_ms", "count", "database", "duration_ms", "entry_id", "evaluation_id", "exit_code",
        "host", "index", "kind", "limit", "method", "migration", "model", "path", "pending", "port",
        "process_id", "reason", "role", "room", "route", "scope", "setting", "signal", "stage", "status",
        "tree_size", "version",
    }
)  # fmt: skip
_CONTEXT: ContextVar[dict[str, str] | None] = ContextVar("ofrecord_log_context", default=None)
_FRAMES = 12
# Their messages name settings, files, modules and attributes, never values.
_QUOTABLE = (OperationError, OSError, ImportError, AttributeError)


@contextmanager
def bound(**ids: str) -> Iterator[None]:
    """Add ids (`request_id=…`, `task_id=…`) to every line logged inside."""
    token = _CONTEXT.set({**(_CONTEXT.get() or {}), **ids})
    try:
        yield
    finally:
        _CONTEXT.reset(token)


class JsonFormatter(logging.Formatter):
    """One JSON object per line."""

    def __init__(self, process: str) -> None:
        """Name the kind of process."""
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        """Write time, level, place, message, bound ids and allowed extra fields."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "level": record.levelname.lower(),
            "process": self._process,
            "logger": record.name,
            "message": record.getMessage(),
            **(_CONTEXT.get() or {}),
        }
        line |= {
            name: value for name, value in record.__dict__.items() if name in SAFE_FIELDS and name not in line
        }
        if record.exc_info and record.exc_info[1] is not None:
            line["error"] = describe_error(record.exc_info[1])
        return orjson.dumps(line, default=str).decode()


def describe_error(error: BaseException) -> dict[str, object]:
    """Return the class and place of an exception; its words only where they are our own or the system's."""
    frames = traceback.extract_tb(error.__traceback__)[-_FRAMES:]
    told: dict[str, object] = {
        "type": f"{type(error).__module__}.{type(error).__qualname__}",
        "at": [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames],
    }
    if isinstance(error, _QUOTABLE):
        told["detail"] = str(error)
    state = getattr(error, "sqlstate", None)
    if isinstance(state, str):
        told["sqlstate"] = state
    cause = error.__cause__
    if cause is not None and cause is not error:
        told["cause"] = f"{type(cause).__module__}.{type(cause).__qualname__}"
    return told


def configure_logging(process: str, level: str = "INFO") -> None:
    """Send every logger of this process through the JSON formatter to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter(process))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for noisy in ("httpx", "httpcore", "numba", "amqp", "kombu", "uvicorn.access"):
        logging.getLogger(noisy).setLevel("WARNING")
