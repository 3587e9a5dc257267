"""The README's tables of speed, drawn from what was measured: `python -m benchmarks.table [--write]`.

Each file in results/ is one run of the benchmark it is named after; every ratio in a cell comes from one run.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks import counterfactual_table, log_table

FOLDER = Path(__file__).parent / "results"
BEGIN, END = "<!-- speed: begin -->", "<!-- speed: end -->"
NOTHING = "no attribution"  # what the margin alone computes
Document = Mapping[str, Any]  # as JSON has it


def table(documents: Sequence[Document]) -> str:
    """Draw all runs, the first one with every peer, later ones with the library's own contributions."""
    head = (
        "| XGBoost model, one row | " + " | ".join(_head(result) for result in _results(documents[0])) + " |"
    )
    lines = [head, "|---" * (1 + len(list(_results(documents[0])))) + "|"]
    for number, document in enumerate(documents):
        results = list(_results(document))
        label = f"**Ofrecord**, exact, interventional, 1,000 rows (Python {document['machine']['python']})"
        lines.append(_row(label, [f"**{result['single']['median']:.2f} ms**" for result in results]))
        for name in _peers(results):
            if number == 0 or "pred_contribs" in name[0]:
                cells = [_single(result, name) for result in results]
                lines.append(_row(f"{name[0]}, {name[1]}", cells))
    lines += ["", *_batches(documents)]
    return "\n".join(lines)


def _batches(documents: Sequence[Document]) -> Iterator[str]:
    results = list(_results(documents[0]))
    yield "| the same models, batches, rows a second on one core | " + " | ".join(map(_head, results)) + " |"
    yield "|---" * (1 + len(results)) + "|"
    for number, document in enumerate(documents):
        results = list(_results(document))
        label = f"**Ofrecord** (Python {document['machine']['python']})"
        yield _row(label, [f"**{result['batch_rows_per_second']:,.0f}**" for result in results])
        for name in _peers(results):
            if name[1] != NOTHING and (number == 0 or "pred_contribs" in name[0]):
                yield _row(f"{name[0]}, {name[1]}", [_batch(result, name) for result in results])


def _results(document: Document) -> Iterator[Document]:
    return (result for result in document["results"] if result["family"] == "xgboost")


def _head(result: Document) -> str:
    sizes = {"S": "100 trees, depth 4", "M": "500, depth 6", "L": "1,000, depth 8"}
    return f"{result['size']}: {sizes[result['size']]}, {result['cap_mib']} MiB"


def _peers(results: Sequence[Document]) -> list[tuple[str, str]]:
    names = [(line["peer"], line["what"]) for result in results for line in result["lines"]]
    return list(dict.fromkeys(names))


def _line(result: Document, name: tuple[str, str]) -> Any:
    return next((line for line in result["lines"] if (line["peer"], line["what"]) == name), None)


def _single(result: Document, name: tuple[str, str]) -> str:
    line = _line(result, name)
    return "-" if line is None else f"{line['single']['median']:,.2f} ms ({line['single_ratio']:,.1f}x)"


def _batch(result: Document, name: tuple[str, str]) -> str:
    line = _line(result, name)
    if line is None:
        return "-"
    return f"{line['batch_rows_per_second']:,.1f} ({line['batch_ratio']:,.1f}x)"


def _row(label: str, cells: Sequence[str]) -> str:
    return f"| {label} | " + " | ".join(cells) + " |"


def section(documents: Sequence[Document]) -> str:
    """Return what stands in the README between the markers."""
    facts = documents[0]["machine"]
    said = (
        f"Measured side by side in one run for each Python ({facts['date']}, {facts['processor']}, "
        f"{facts['cores']} cores, shared), one thread, medians; in brackets, how many times "
        "ours is as fast. Slow libraries explain shorter batches than the 10,000 rows of ours."
    )
    return f"{said}\n\n{table(documents)}\n"


def measured(benchmark: str = "attribution") -> list[Document]:
    """Return the runs of a benchmark that are kept, the newest Python first."""
    paths = sorted(FOLDER.glob(f"{benchmark}-*.json"), reverse=True)
    return [json.loads(path.read_text(encoding="utf-8")) for path in paths]


def main(arguments: Sequence[str]) -> None:
    """Print the sections, or with `--write` put them into the README."""
    sections = {
        (BEGIN, END): section(measured()),
        (counterfactual_table.BEGIN, counterfactual_table.END): counterfactual_table.section(
            measured("counterfactuals"), measured("budget")
        ),
        (log_table.BEGIN, log_table.END): log_table.section(measured("log"), measured("reports")),
    }
    if "--write" not in arguments:
        print("\n".join(sections.values()))
        return
    readme = FOLDER.parents[1] / "README.md"
    text = readme.read_text(encoding="utf-8")
    for (begin, end), made in sections.items():
        before, after = text.partition(begin)[0], text.partition(end)[2]
        text = f"{before}{begin}\n{made}{end}{after}"
    readme.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
