"""The README's table of speed says what the kept measurements say."""

from __future__ import annotations

from pathlib import Path

from benchmarks import counterfactual_table, log_table
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


def test_the_readme_has_the_kept_log() -> None:
    made = log_table.section(measured("log"), measured("reports"))
    text = README.read_text(encoding="utf-8")
    assert made
    assert text.partition(log_table.BEGIN)[2].partition(log_table.END)[0] == "\n" + made


def test_the_kept_log_was_durable_and_whole() -> None:
    for document in measured("log"):
        result = document["result"]
        assert {result["settings"][name] for name in ("fsync", "full_page_writes", "synchronous_commit")} == {
            "on"
        }
        assert not any(rate["pushed_back"] for rate in result["appends"])
        for rates in log_table.by_writer(result["appends"]).values():
            assert len({rate["appended"] for rate in rates}) == 1
        assert result["proofs"]["leaves"] == 10_000_000
    for document in measured("reports"):
        assert {pulled["rows"] for pulled in document["result"]["pulled"]} == {1_000_000}
