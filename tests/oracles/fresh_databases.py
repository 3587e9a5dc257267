"""Copies of the migrated databases, made on the server while a test runs on the one before."""

from __future__ import annotations

import os
import secrets
from collections import deque
from collections.abc import Sequence

from psycopg import pq, sql

from runtime.migrations import OWNER

Statement = sql.SQL | sql.Composed


class Copies:
    """Copies of one template. One is made ahead, and what was used is dropped, without anybody waiting.

    Statements are only sent; the server works them off in order. There is no thread, which a test that forks
    would be warned of.
    """

    def __init__(self, url: str, template: str, prefix: str, roles: Sequence[str]) -> None:
        """Take the administrator's address, and who may connect to a copy."""
        self._template = template
        self._prefix = prefix
        self._roles = roles
        self._sent: deque[str] = deque()
        self._connection = pq.PGconn.connect(url.encode())
        assert self._connection.status == pq.ConnStatus.OK, self._connection.error_message
        self._connection.enter_pipeline_mode()
        self._ahead = self._make()

    def take(self) -> str:
        """Return the name of a copy that nobody has, and begin with the next one."""
        taken = self._ahead
        while taken in self._sent:
            self._receive()
        self._ahead = self._make()
        return taken

    def give_back(self, name: str) -> None:
        """Have a copy dropped, whoever is still connected to it."""
        self._send(name, sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))

    def close(self) -> None:
        """Drop what was made ahead, and wait for all of it."""
        self.give_back(self._ahead)
        while self._sent:
            self._receive()
        self._connection.finish()

    def _make(self) -> str:
        name = f"{self._prefix}_{os.getpid()}_{secrets.token_hex(4)}"
        copy, template, owner = sql.Identifier(name), sql.Identifier(self._template), sql.Identifier(OWNER)
        listed = sql.SQL(", ").join(map(sql.Identifier, self._roles))
        # Copying files first flushes what the server has in memory: little here, and less than a log of it.
        made = sql.SQL("create database {} template {} owner {} strategy file_copy")
        self._send(name, made.format(copy, template, owner))
        self._send(name, sql.SQL("revoke all on database {} from public").format(copy))
        self._send(name, sql.SQL("grant connect on database {} to {}").format(copy, listed))
        return name

    def _send(self, name: str, statement: Statement) -> None:
        """Send one statement, in a transaction of its own."""
        self._connection.send_query_params(statement.as_bytes(None), None)
        self._connection.pipeline_sync()
        self._sent.append(name)

    def _receive(self) -> None:
        """Wait for the oldest statement: its result, the end of its results, and its own end."""
        for expected in (pq.ExecStatus.COMMAND_OK, None, pq.ExecStatus.PIPELINE_SYNC):
            result = self._connection.get_result()
            status = None if result is None else pq.ExecStatus(result.status)
            assert status == expected, result.error_message if result else self._connection.error_message
        self._sent.popleft()
