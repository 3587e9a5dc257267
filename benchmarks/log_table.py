"""The README's table of the log and its register, drawn from what was measured (see `table`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import median
from typing import Any

Document = Mapping[str, Any]  # as JSON has it

BEGIN, END = "<!-- log: begin -->", "<!-- log: end -->"
_WRITERS = {
    "one connection, one by one": "one connection, entry after entry",
    "a pool of 16, one by one": "16 connections, entry after entry",
    "floor: bare rows of 2 KB": "floor: rows of 2 KB into a bare table, 96 in a transaction",
}


def section(logs: Sequence[Document], reports: Sequence[Document]) -> str:
    """Return what stands in the README between the markers, from the newest run of either benchmark."""
    parts = [part for document in logs[:1] for part in _log(document)]
    parts += [part for document in reports[:1] for part in _reports(document)]
    return "\n".join(parts) + "\n" if parts else ""


def by_writer(appends: Sequence[Document]) -> dict[tuple[str, float], list[Document]]:
    """Return the runs of each writer and offered rate, in the order in which they were measured."""
    found: dict[tuple[str, float], list[Document]] = {}
    for rate in appends:
        found.setdefault((rate["writer"], rate["offered"]), []).append(rate)
    return found


def _log(document: Document) -> Iterator[str]:
    facts, result, settings = document["machine"], document["result"], document["result"]["settings"]
    runs = by_writer(result["appends"])
    yield (
        f"The log ({facts['date']}, Python {facts['python']}, PostgreSQL {settings['server_version']} with "
        f"fsync, full_page_writes and synchronous_commit on, shared_buffers {settings['shared_buffers']}), "
        f"on {facts['cores']} cores that also run the database, the integrator and the clients. An entry has "
        "1 KB in clear, 2 KB encrypted, a key and an idempotency key of its own. Medians of "
        f"{min(map(len, runs.values()))} run(s) of each, in brackets the worst."
    )
    yield ""
    yield "| durable appends | a second | median | 99 % |"
    yield "|---|---|---|---|"
    for (writer, offered), rates in runs.items():
        yield _row(_label(writer, offered), _cells(rates))
    yield ""
    yield "| reading the log | |"
    yield "|---|---|"
    for check in result["checks"]:
        label = f"`ofrecord fsck`, {check['entries']:,} entries, {check['processes']} process"
        label += "es" if check["processes"] > 1 else ""
        yield _row(label, [f"{check['per_second']:,.0f} entries/s ({check['slowest']:,.0f})"])
    yield from _proofs(result["proofs"])


def _label(writer: str, offered: float) -> str:
    if writer in _WRITERS:
        return _WRITERS[writer]
    return f"**Ofrecord**, {offered:,.0f} offered" if offered else "**Ofrecord**, 96 always under way"


def _cells(rates: Sequence[Document]) -> list[str]:
    """Return rate, median and 99 %: the median of the runs, and the worst one's."""
    seconds = [rate["per_second"] for rate in rates]
    cells = [f"{median(seconds):,.0f} ({min(seconds):,.0f})"]
    for name in ("median", "p99"):
        taken = [rate["latency"][name] for rate in rates]
        cells.append(f"{median(taken):,.1f} ms ({max(taken):,.1f})")
    return cells


def _proofs(proofs: Document) -> Iterator[str]:
    leaves = f"among {proofs['leaves']:,} leaves"
    for name, word in (
        ("inclusion", f"inclusion proof {leaves}, median / 99 %"),
        ("consistency", f"consistency proof {leaves}, median / 99 %"),
        ("verification", "verifying an inclusion proof, median / 99 %"),
    ):
        timing = proofs[name]
        yield _row(word, [f"{timing['median']:,.2f} / {timing['p99']:,.2f} ms"])


def _reports(document: Document) -> Iterator[str]:
    for pulled in document["result"]["pulled"]:
        if not pulled["over_http"]:
            continue
        label = f"register of {pulled['rows']:,} decisions over HTTP, {pulled['form'].upper()}"
        seconds = pulled["seconds"]
        yield _row(
            label,
            [f"{median(seconds):.1f} s ({max(seconds):.1f}), {pulled['mib']:,.0f} MiB, digest compared"],
        )


def _row(label: str, cells: Sequence[str]) -> str:
    return f"| {label} | " + " | ".join(cells) + " |"
