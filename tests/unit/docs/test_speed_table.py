"""The README's table of speed says what the kept measurements say."""

from __future__ import annotations

from pathlib import Path

from benchmarks.table import BEGIN, END, measured, section

README = Path(__file__).resolve().parents[3] / "README.md"


def test_the_readme_has_the_kept_measurements() -> None:
    text = README.read_text(encoding="utf-8")
    assert text.partition(BEGIN)[2].partition(END)[0] == "\n" + section(measured())


def test_every_ratio_is_that_of_its_own_run() -> None:
    for document in measured():
        for result in document["results"]:
            for line in result["lines"]:
                assert line["single"]["calls"] >= 5
                assert line["single_ratio"] > 0
                assert line["batch_rows"] >= 20
