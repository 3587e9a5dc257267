"""Trains the clinical example and gathers everything that its registration needs."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from examples.bundle import ExampleBundle, csv_of, features_of
from examples.training import Split, auc, split, train

if TYPE_CHECKING:
    from pandas import DataFrame

MODEL, VERSION = "breast-mass", "1"
THRESHOLD = 0.5
ROUNDS = 100
PARAMETERS = {"max_depth": 3, "eta": 0.1, "subsample": 0.8, "colsample_bytree": 0.5, "reg_lambda": 2.0}


def build() -> ExampleBundle:
    """Train the model and return it with its manifest, reference rows and one malignant finding."""
    table, malignant = masses()
    parts = split(len(table), train=0.5, reference=0.4)
    trained = train(table, malignant, parts.train, PARAMETERS, ROUNDS)
    held_out = sorted(parts.reference + parts.test)
    return ExampleBundle(
        model=MODEL,
        version=VERSION,
        manifest_yaml=files("examples.clinical").joinpath("manifest.yaml").read_bytes(),
        catalogue_yaml=files("examples.clinical").joinpath("catalogue.yaml").read_bytes(),
        artifact=trained.artifact,
        reference_csv=csv_of(table, parts.reference),
        declined=_request(table, _patient(malignant, trained.scores, parts)),
        auc=auc(malignant[held_out], trained.scores[held_out]),
        held_out_rows=len(held_out),
    )


def masses() -> tuple[DataFrame, NDArray[np.float64]]:
    """Return the measurements of 569 masses, and 1 where the mass was malignant."""
    from sklearn.datasets import load_breast_cancer  # noqa: PLC0415  slow to import

    data = load_breast_cancer(as_frame=True)
    table = data.data.rename(columns=_plain_name)
    return table, (data.target == 0).to_numpy(dtype=np.float64)


def _plain_name(name: str) -> str:
    """Put the statistic last: "mean concave points" becomes concave_points_mean."""
    words = name.split()
    ordered = words[1:] + words[:1] if words[0] in {"mean", "worst"} else words
    return "_".join(ordered)


def _patient(malignant: NDArray[np.float64], scores: NDArray[np.float64], parts: Split) -> int:
    """Choose the malignant mass, told to be so, that the model was least sure of among the unseen ones."""
    found = [
        row for row in (*parts.test, *parts.reference) if malignant[row] == 1 and scores[row] >= THRESHOLD
    ]
    return min(found, key=lambda row: float(scores[row]))


def _request(table: DataFrame, row: int) -> dict[str, object]:
    return {
        "decision_id": f"mass-{row + 1:03d}",
        "subject_ref": f"patient-{row + 1:03d}",
        "features": features_of(table, row),
        "budget_ms": 2000,
        # Not only on the other side of the line, but clearly so.
        "counterfactuals": {"count": 1, "required": False, "target": {"score": 0.2, "direction": "below"}},
        "purpose": "clinical_review",
    }
