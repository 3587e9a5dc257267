"""Pulling a report: made in a thread, put on record, then handed out."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from audit.entry import Appended
from audit.receipt import Receipt
from records.tokens import Principal
from reports.registers.offered import REPORTS, check_asked, find_report
from reports.registers.pulling import Desk, Made, make
from reports.registers.report import Asked, Form
from service.archive import Kept
from service.committing import PATIENCE_SECONDS, outcome
from service.context import Services
from service.errors import Forbidden
from service.explanations.record import JsonObject


@dataclass(frozen=True, slots=True)
class Pulled:
    """A report that may leave: its entry is committed. Close it when it has left."""

    kept: Kept
    opening: bytes
    closing: bytes

    @property
    def made(self) -> Made:
        """The report."""
        return self.kept.made

    @property
    def size(self) -> int:
        """Its bytes."""
        return len(self.opening) + self.made.written.size + len(self.closing)


async def pull(services: Services, name: str, asked: Asked, form: Form, reader: Principal) -> Pulled:
    """Make a report and put the pull on record; what discloses needs the scope `read` too.

    Raises `ReportUnknown`, `ParameterRefused`, `ModelUnknown`, `TooBusy`, and what making it raises.
    """
    report = find_report(name)
    if report.discloses and not reader.may("read"):
        raise Forbidden("This report discloses what is on record about a person: it needs the scope 'read'.")
    check_asked(report, asked)
    desk, bounds = desk_of(services), services.archive.bounds
    kept = await services.archive.make(partial(make, desk, report, asked, form, bounds))
    try:
        appended = await _recorded(services, kept.made, reader)
        opening = kept.made.opening(appended.entry_id, reader.name)
    except BaseException:
        kept.close()
        raise
    return Pulled(kept, opening, kept.made.closing())


def offered() -> JsonObject:
    """Every report with its parameters and its columns."""
    return {
        "reports": [
            {
                "name": report.name,
                "number": report.number,
                "title": report.title,
                "parameters": sorted(report.takes),
                "discloses": report.discloses,
                "columns": [
                    {"name": one.name, "type": one.type, "meaning": one.meaning} for one in report.columns
                ],
            }
            for report in REPORTS.values()
        ]
    }


def desk_of(services: Services) -> Desk:
    """What reports need of this process."""
    return Desk(
        pool=services.pool,
        log=services.log,
        clock=services.clock,
        organisation=services.settings.organisation,
        vkeys=services.settings.log_verifier_keys,
        receipt=partial(_receipt, services),
        folder=services.settings.cache_dir / "reports",
        witness_vkeys=tuple(vkey for vkey, _ in services.settings.witnesses),
    )


async def _recorded(services: Services, made: Made, reader: Principal) -> Appended:
    """Hand all entries over at once, so that they share a commit; the last is the pull."""
    submitted = [services.committer.submit(draft) for draft in made.drafts(reader.name)]
    appended = [await outcome(one, PATIENCE_SECONDS) for one in submitted]
    return appended[-1]


def _receipt(services: Services, appended: Appended, index: int | None) -> Receipt:
    return services.receipt(appended, index)
