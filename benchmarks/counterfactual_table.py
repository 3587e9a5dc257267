"""The README's table of counterfactuals and budgets, drawn from what was measured (see `table`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Document = Mapping[str, Any]  # as JSON has it

BEGIN, END = "<!-- counterfactuals: begin -->", "<!-- counterfactuals: end -->"
_WORDS = {"random": "DiCE random", "genetic": "DiCE genetic", "kdtree": "DiCE kd-tree"}


def section(compared: Sequence[Document], kept: Sequence[Document]) -> str:
    """Return what stands in the README between the markers, from runs of either benchmark."""
    parts = [part for document in compared[:1] for part in _compared(document)]
    parts += [part for document in kept[:1] for part in _kept(document)]
    return "\n".join(parts) + "\n" if parts else ""


def _compared(document: Document) -> Iterator[str]:
    facts, results = document["machine"], document["results"]
    applicants = sum(result["applicants"] for result in results)
    yield (
        f"Counterfactuals, {document['count']} for each declined applicant, one thread ({facts['date']}, "
        f"Python {facts['python']}, DiCE {facts['dice-ml']}), ours and DiCE's in turns on the same rows; all "
        f"{applicants:,} applicants and every item are judged by the manifest's words and by XGBoost itself, "
        "after rounding. Distance (in median absolute deviations) and diversity (a determinant, at most 1) "
        "are of one set each, where both gave all; in brackets, ours as a multiple of theirs."
    )
    yield ""
    yield "| | " + " | ".join(result["model"] for result in results) + " |"
    yield "|---" * (1 + len(results)) + "|"
    yield _row("**Ofrecord**, median / 99 %", [f"**{_times(result['timing'])}**" for result in results])
    for way in ("random", "genetic", "kdtree"):
        cells = [_times(_line(result, way)["timing"]) for result in results]
        yield _row(f"{_WORDS[way]}, median / 99 %", cells)
    yield _row("**Ofrecord**: valid, breaking a rule, of", [_judged(result["quality"]) for result in results])
    for way in ("random", "genetic"):
        cells = [_judged(_line(result, way)["quality"]) for result in results]
        yield _row(f"{_WORDS[way]}: valid, breaking a rule, of", cells)
    for measure, word in (
        ("distance", "distance"),
        ("diversity", "diversity"),
        ("changed", "features changed"),
    ):
        cells = [_ratio(_line(result, "random"), measure) for result in results]
        yield _row(f"{word}, Ofrecord and DiCE random", cells)
    yield _row("statuses within 50 ms", [_statuses(result["statuses"]) for result in results])
    yield ""


def _kept(document: Document) -> Iterator[str]:
    facts, results = document["machine"], document["results"]
    budgets = [kept["budget_ms"] for kept in results[0]["budgets"]]
    yield (
        f"Answers inside their budget and 10 ms, {document['clients']} clients at once on "
        f"{facts['cores']} cores that also run the database and the clients, workers paused "
        f"({facts['date']}, Python "
        f"{facts['python']}); in brackets, the 99th percentile as the client waits for it."
    )
    yield ""
    yield "| budget | " + " | ".join(f"{budget} ms" for budget in budgets) + " |"
    yield "|---" * (1 + len(budgets)) + "|"
    for result in results:
        asked = "direct, then DiCE random" if result["methods"] is None else "DiCE random and genetic by name"
        cells = [
            f"{100 * kept['inside']:.1f} % ({kept['latency']['p99']:.0f} ms)" for kept in result["budgets"]
        ]
        yield _row(f"{result['model']}: {asked}", cells)
        yield _row("statuses", [_statuses(kept["statuses"]) for kept in result["budgets"]])
        yield _row(
            "of a core, from 100 ms after", [f"{100 * kept['busy']:.1f} %" for kept in result["budgets"]]
        )


def _line(result: Document, way: str) -> Any:
    return next(line for line in result["lines"] if line["way"] == way)


def _times(timing: Document) -> str:
    return f"{timing['median']:,.0f} / {timing['p99']:,.0f} ms"


def _judged(quality: Document) -> str:
    return f"{quality['valid']:,}, {quality['violating']:,}, {quality['items']:,}"


def _ratio(line: Document, measure: str) -> str:
    ours, theirs = line["ours"][measure], line["quality"][measure]
    if ours is None or theirs is None:
        return "-"
    return f"{ours:.2f}, {theirs:.2f} ({ours / theirs:.2f}x)"


def _statuses(statuses: Mapping[str, int]) -> str:
    ordered = sorted(statuses.items(), key=lambda item: -item[1])
    return ", ".join(f"{count:,} {status}" for status, count in ordered)


def _row(label: str, cells: Sequence[str]) -> str:
    return f"| {label} | " + " | ".join(cells) + " |"
