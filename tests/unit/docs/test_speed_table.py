"""The README's table of speed says what the kept measurements say."""

from __future__ import annotations

from pathlib import Path

from benchmarks import counterfactual_table
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


def test_the_readme_has_the_kept_counterfactuals() -> None:
    made = counterfactual_table.section(measured("counterfactuals"), measured("budget"))
    text = README.read_text(encoding="utf-8")
    shown = text.partition(counterfactual_table.BEGIN)[2].partition(counterfactual_table.END)[0]
    assert shown == "\n" + made


def test_every_kept_counterfactual_is_true_and_allowed() -> None:
    for document in measured("counterfactuals"):
        assert sum(result["applicants"] for result in document["results"]) > 1_000
        for result in document["results"]:
            judged = [result["quality"], *(line["ours"] for line in result["lines"])]
            assert all(one["valid"] == one["items"] and not one["violating"] for one in judged)
            assert sum(result["statuses"].values()) == result["applicants"]
