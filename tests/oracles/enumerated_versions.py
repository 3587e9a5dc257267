"""Small model versions beside the true values of one row: what a worker's answer is held against."""

from __future__ import annotations

from dataclasses import dataclass
from math import factorial
from typing import Any

import numpy as np

from explain.models.base import Model
from explain.reference import Reference
from records.private import PrivatePart
from records.private_parts import ReasonPart
from registry.catalogues import inline_catalogue
from registry.digests import canonical_json, digest_of
from registry.loaded_version import understand
from registry.manifests import parse_manifest
from registry.version_row import VersionContent, VersionIdentity

FEATURES = 11
FloatArray = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True)
class Prepared:
    """One model version: what the registry stores of it, and the true Shapley values of one row."""

    content: VersionContent
    model: Model
    reference: Reference
    row: FloatArray
    base_value: float
    phi: FloatArray


def prepare(version: str, names: list[str], artifact: bytes, rows: FloatArray, **more: Any) -> Prepared:
    """Register a version of these rows; `more` are further members of its manifest."""
    manifest = {
        "manifest": "ofrecord/v1",
        "model": "m",
        "version": version,
        "family": "xgboost",
        "profile": "lending",
        "purpose": "Decide test applications",
        "outcome": {
            "adverse": "decline",
            "favourable": "approve",
            "score": "probability_of_adverse",
            "threshold": 0.5,
        },
        "features": [{"name": name, "type": "number"} for name in names],
        "factors": [
            {"name": name, "features": [name], "reason": {"code": f"R{n:02}", "text": f"Level of {name}"}}
            for n, name in enumerate(names)
        ],
        "reference": {"kind": "given"},
        **more,
    }
    parsed = parse_manifest(canonical_json(manifest), "application/json")
    understood = understand(parsed, artifact)
    reference = Reference.of("given", rows)
    lines = [",".join(names), *(",".join(map(repr, row)) for row in rows.tolist())]
    uploaded = "\n".join(lines).encode()
    catalogue = inline_catalogue(parsed.manifest)
    identity = VersionIdentity("m", version, parsed.digest, digest_of(artifact), digest_of(uploaded))
    content = VersionContent(
        identity=identity,
        family="xgboost",
        profile="lending",
        reference_digest=reference.digest,
        reference_kind="given",
        reference_rows=len(rows),
        reference_band=None,
        catalogue=catalogue,
        capability=b"{}",
        blobs=(parsed.canonical, artifact, uploaded, reference.to_bytes()),
    )
    row = np.linspace(-1.5, 1.5, FEATURES)
    base_value, phi = enumerated(understood.model.margins, row, reference.rows)
    return Prepared(content, understood.model, reference, row, base_value, phi)


def enumerated(margins: Any, row: FloatArray, reference: FloatArray) -> tuple[float, FloatArray]:
    """Shapley values by their definition: every coalition, valued by the mean margin over the reference."""
    codes = np.arange(1 << FEATURES)
    present = (codes[:, None] >> np.arange(FEATURES)) & 1 == 1
    hybrids = np.where(present[:, None, :], row, reference[None, :, :]).reshape(-1, FEATURES)
    values = margins(hybrids).reshape(len(codes), len(reference)).mean(axis=1)
    phi = np.zeros(FEATURES)
    for player in range(FEATURES):
        for code in codes[~present[:, player]]:
            size = int(present[code].sum())
            weight = factorial(size) * factorial(FEATURES - size - 1) / factorial(FEATURES)
            phi[player] += weight * (values[code | 1 << player] - values[code])
    return float(values[0]), phi


def _reasons(names: tuple[str, ...], phi: FloatArray) -> list[ReasonPart]:
    """The four largest contributions against the applicant, by definition."""
    against = [at for at in np.argsort(-phi).tolist() if phi[at] > 0][:4]
    total = float(phi[phi > 0].sum())
    return [
        {
            "rank": rank,
            "code": f"R{at:02}",
            "factor": names[at],
            "text": f"Level of {names[at]}",
            "contribution": float(phi[at]),
            "share": float(phi[at]) / total,
            "reference_value": None,
            "observed": [],
            "near_tie": False,
        }
        for rank, at in enumerate(against, start=1)
    ]


def private_part(prepared: Prepared, phi: FloatArray) -> PrivatePart:
    row, reference = prepared.row, prepared.reference
    prediction = prepared.model.predict(row[None, :])
    margin, score = float(prediction.margins[0]), float(prediction.scores[0])
    names = prepared.model.space.names
    return {
        "decision_id": "A-1",
        "subject_ref": "S-1",
        "purpose": None,
        "features": [
            {"name": name, "type": "number", "value": float(value)}
            for name, value in zip(names, row, strict=True)
        ],
        "decision": {
            "outcome": "decline",
            "favourable": False,
            "score": score,
            "margin": margin,
            "threshold": 0.5,
            "output_space": "margin",
        },
        "attribution": {
            "method": "interventional_treeshap",
            "reference": {
                "id": reference.digest,
                "kind": "given",
                "rows": len(reference.rows),
                "digest": reference.digest,
            },
            "base_value": prepared.base_value,
            "values": [
                {"feature": name, "phi": float(value)} for name, value in zip(names, phi, strict=True)
            ],
            "reconciliation": {"expected": margin, "sum": margin, "error": 0.0, "tolerance": 1e-4},
        },
        "reasons": _reasons(names, phi),
        "counterfactuals": {"status": "not_requested", "complete": True, "items": [], "evaluation_id": None},
        "warnings": [],
    }
