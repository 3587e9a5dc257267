"""What the gate measures of a loaded version beside the rows that were uploaded for it."""

from __future__ import annotations

from dataclasses import asdict

from explain.evaluation.ranking import Ranking
from explain.evaluation.stability import reason_stability
from explain.gate import examine, warn
from registry.cells import FloatArray
from registry.loaded_version import LoadedVersion
from registry.observing import Observation


def measure(loaded: LoadedVersion, uploaded: FloatArray, observation: Observation) -> dict[str, object]:
    """Return the gate's report, its warnings, and how stable the reasons are; `uploaded` is (n, features).

    `observation` is what these rows say of the constraints.

    Raises what the gate raises: what cannot be explained exactly is refused before anything else is measured.
    """
    reference = loaded.reference
    explained = (loaded.model, loaded.shap, loaded.rule)
    report = examine(loaded.model, loaded.rule, reference, loaded.shap)
    noise = frozenset(feature.name for feature in loaded.manifest.features if feature.noise)
    warnings = warn(explained, (reference.rows, uploaded), loaded.factors, noise)
    stability = reason_stability(explained, reference, uploaded, ranking_of(loaded))
    return {
        **asdict(report),
        "warnings": [asdict(warning) for warning in (*warnings, *observation.warnings)],
        "constraint_checks": list(observation.checks),
        "reason_stability": asdict(stability),
    }


def ranking_of(loaded: LoadedVersion, limit: int | None = None) -> Ranking:
    """Return how a version's factors become principal; `limit` is the manifest's unless another is given."""
    rules = loaded.manifest.reasons
    return Ranking.of(
        loaded.factors,
        loaded.space,
        loaded.rule,
        limit=limit or rules.limit,
        minimum_share=float(rules.minimum_share),
    )
