"""What leaves the log after it is committed: files for everybody, and checkpoints for witnesses.

Each outlet has a thread of its own beside the integrator, so that a disk or a witness that hangs stalls
neither the integrator nor another outlet. What goes wrong is tried again, ever more slowly; what shows that
the database was put back or rewritten halts the integrator by name.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from audit.cosigning import Cosigning, WitnessSilent, WitnessUnproved
from audit.errors import AuditUnavailable, IntegrityHalt
from audit.publish import Publisher
from runtime.clock import SystemClock
from runtime.errors import SettingsError
from runtime.postgres import Pool
from runtime.settings import Settings
from workers.log_keys import log_keys, log_signers, witness_keys
from workers.looping import loop_pool, rest
from workers.witnesses import HttpWitness

_LOG = logging.getLogger(__name__)

IDLE_SECONDS = 0.5
FIRST_LOOK_SECONDS = 10.0
_TOLD_EVERY_SECONDS = 60.0
_LONGEST_BACKOFF_SECONDS = 60.0
_END_SECONDS = 0.3


@dataclass(frozen=True, slots=True)
class Outlet:
    """One place that new checkpoints go to; `step` tells whether there was something to do."""

    name: str
    step: Callable[[], bool]
    compares: bool = True  # whether it can tell that the database was put back


class Publishing:
    """The outlets at work. Look at `check` before signing anything."""

    def __init__(self, outlets: Sequence[Outlet], stop: threading.Event, *, unseen: bool = False) -> None:
        """Start a thread for each outlet; `stop` is the whole process's.

        With `unseen` the operator has decided that signing may begin though nothing outside can be asked.
        """
        self._stop = stop
        self._unseen = unseen
        self._ended = threading.Event()
        self._halt: IntegrityHalt | None = None
        self._looked = {outlet.name: threading.Event() for outlet in outlets if outlet.compares}
        self._trouble: dict[str, str] = {}  # why an outlet has not looked yet
        self._threads = [
            threading.Thread(target=self._run, args=(outlet,), name=outlet.name, daemon=True)
            for outlet in outlets
        ]
        for thread in self._threads:
            thread.start()

    def check(self) -> None:
        """Raise what an outlet found, if that was a contradiction."""
        if self._halt is not None:
            raise self._halt

    def wait_for_first_look(self) -> bool:
        """Let the outlets compare the database with what they know; False when the process is to stop.

        Each has some seconds; after that one that agreed is enough, and as long as there is none nothing may
        be signed, unless the operator said so or there is nobody to ask. Raises `IntegrityHalt`.
        """
        if not self._looked:
            _LOG.warning("no witness and no public folder: nobody notices if the database is put back")
        until = time.monotonic() + FIRST_LOOK_SECONDS
        while silent := [name for name, looked in self._looked.items() if not looked.is_set()]:
            self.check()
            if self._stop.is_set():
                return False
            if time.monotonic() > until:
                seen = len(silent) < len(self._looked) or self._unseen
                self._tell_silence(silent, seen)
                if seen:
                    break
                until += _TOLD_EVERY_SECONDS
            rest(self._stop, 0.02)
        self.check()
        return not self._stop.is_set()

    def _tell_silence(self, silent: Sequence[str], seen: bool) -> None:
        reason = "; ".join(f"{name}: {self._trouble.get(name, 'it has not answered')}" for name in silent)
        if seen:
            _LOG.warning("not yet compared with what was published", extra={"reason": reason})
        else:
            _LOG.critical(
                "nothing is signed before a witness or the public folder was compared with the database",
                extra={"reason": reason},
            )

    def end(self) -> None:
        """Let the threads end; one that hangs ends with the process."""
        self._ended.set()
        until = time.monotonic() + _END_SECONDS
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))

    def _run(self, outlet: Outlet) -> None:
        failures = 0
        while not self._ended.is_set() and self._halt is None:
            error = self._step(outlet)
            failures = 0 if error is None else failures + 1
            pause = IDLE_SECONDS if error is None else _backoff(failures)
            if error is not None:
                former = self._trouble.get(outlet.name)
                self._trouble[outlet.name] = why = str(error) or type(error).__name__
                _tell(outlet, error, pause, new=why != former)
            rest(self._ended, pause)

    def _step(self, outlet: Outlet) -> Exception | None:
        """Do what there is to do; return what went wrong. Only a step that went well has compared."""
        try:
            more = True
            while more and not self._ended.is_set():
                more = outlet.step()
                if outlet.compares:
                    self._looked[outlet.name].set()
        except IntegrityHalt as halt:
            _LOG.critical("what was published contradicts the database", extra={"reason": str(halt)})
            self._halt = halt
        except Exception as error:  # noqa: BLE001 - nothing may end this thread; it is told, and tried again
            return error
        return None


@contextmanager
def publishing(settings: Settings, stop: threading.Event) -> Iterator[Publishing]:
    """Run every outlet that the settings name; raise `SettingsError` for a key that is none."""
    verifiers = log_keys(settings)
    witnesses = witness_keys(settings)
    origin, folder = settings.log_origin, settings.publish_dir
    wanted = len(witnesses) + (folder is not None) + bool(settings.timestamp_url)
    with ExitStack() as opened:
        outlets = []
        if wanted:
            pool = opened.enter_context(
                loop_pool(settings.database_url, "ofrecord-publisher", connections=wanted)
            )
            for key, url in witnesses:
                client = HttpWitness(url)
                cosigning = Cosigning(pool, client, key, origin, verifiers, signers=log_signers(settings))
                outlets.append(Outlet(key.key_id, cosigning.step))
            if folder is not None:
                keys = [key for key, _ in witnesses]
                publisher = Publisher(pool, folder, origin, verifiers, witnesses=keys)
                outlets.append(Outlet(str(folder), publisher.step))
            if settings.timestamp_url:
                outlets.append(_stamping(settings, pool))
        running = Publishing(outlets, stop, unseen=settings.sign_unseen)
        try:
            yield running
        finally:
            running.end()


def _stamping(settings: Settings, pool: Pool) -> Outlet:
    """The time-stamp authority's outlet; its library is needed only where one is named."""
    if settings.timestamp_certificates is None:
        raise SettingsError("OFRECORD_TIMESTAMP_CERTIFICATES", "is not set, and there is an authority")
    try:
        from audit.timestamp import TimestampRefused  # noqa: PLC0415 - an extra
        from workers.stamping import Stamping  # noqa: PLC0415
    except ImportError as error:
        raise SettingsError("OFRECORD_TIMESTAMP_URL", "needs the extra `timestamps`") from error
    try:
        stamping = Stamping(pool, settings.timestamp_url, settings.timestamp_certificates, SystemClock())
    except TimestampRefused as error:
        raise SettingsError("OFRECORD_TIMESTAMP_CERTIFICATES", str(error)) from error
    return Outlet(settings.timestamp_url, stamping.step, compares=False)


def _backoff(failures: int) -> float:
    return min(0.5 * 2.0 ** min(failures, 10), _LONGEST_BACKOFF_SECONDS)


def _tell(outlet: Outlet, error: Exception, pause: float, *, new: bool) -> None:
    """Say why an outlet waits; what nobody foresaw with its place."""
    told = {"stage": outlet.name, "backoff_ms": round(pause * 1000)}
    if isinstance(error, WitnessUnproved) and new:
        _LOG.critical("a witness objects and proves nothing", extra={**told, "reason": str(error)})
    elif isinstance(error, (WitnessSilent, AuditUnavailable)):
        _LOG.warning("could not publish", extra={**told, "reason": str(error)})
    else:
        _LOG.warning("could not publish", exc_info=error, extra=told)
