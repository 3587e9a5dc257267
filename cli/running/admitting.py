"""The first administrator's token: written to a file once, known to the database only by its digest."""

from __future__ import annotations

from audit.keys import KeyStore
from audit.log import AuditLog
from cli.running.folder import DataFolder, write_private
from records.tokens import find_token, issue_token
from runtime.clock import Clock, SystemClock
from runtime.postgres import open_pool
from runtime.settings import Settings

_PRINCIPAL = "admin"
_ISSUER = "ofrecord run"


def admit_administrator(folder: DataFolder, settings: Settings, *, clock: Clock | None = None) -> bool:
    """Make sure that the database knows the token in `<data-dir>/admin-token`; return whether it is new.

    `settings` are those of the API. The log's partitions are made first, since issuing is itself an entry.
    """
    now = (clock or SystemClock()).now()
    with (
        open_pool(settings.database_url, max_size=2, name="ofrecord-run") as pool,
        open_pool(settings.keys_database_url, max_size=2, name="ofrecord-run") as keys_pool,
    ):
        log = AuditLog(pool, KeyStore(keys_pool, settings.master_key), origin=settings.log_origin)
        log.ensure_partitions(now)
        path = folder.admin_token
        secret = path.read_text(encoding="utf-8").strip() if path.is_file() else ""
        with pool.connection() as connection:
            if secret and find_token(connection, secret, now):
                path.chmod(0o600)
                return False
            issued = issue_token(connection, log, _PRINCIPAL, ("admin",), now, issued_by=_ISSUER)
            write_private(path, f"{issued.secret}\n")
        return True
