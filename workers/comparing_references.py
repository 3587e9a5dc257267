"""The evaluation `reference_comparison`: one recorded decision explained against another reference.

The other reference is selected from the very rows that were uploaded with the version, so both are choices
from one population. Codes are worded by the catalogue that the explanation was worded by.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import cast

import numpy as np
import orjson

from explain.attribution.base import Attribution
from explain.catalogue import ReasonCatalogue
from explain.errors import ExplainError, ReasonUnmapped, ReferenceTooSmall
from explain.evaluation.ranking import NONE
from explain.evaluation.references import agreement, attribute_against
from explain.evaluation.stability import outputs_of
from explain.reasons import members_of, word_factor
from explain.reference import Reference, ReferenceKind, select_reference
from records.evaluations import Evaluation
from records.leases import Outcome
from records.reaching import reaching, transaction
from registry import store
from registry.catalogues import read_catalogue
from registry.conversions import DEFAULT_BAND
from registry.errors import RegistryError
from registry.references import read_reference
from workers.crosschecking import Recorded, read_recorded
from workers.errors import EvaluationImpossible
from workers.leasing import HeldLease
from workers.resources import Resources
from workers.stabilizing import METHODS, Ranked, completed_about, contrast_of, read_ranked

KINDS = ("near_cutoff_approved", "all_applicants", "given")


def compare_references(resources: Resources, evaluation: Evaluation, lease: HeldLease) -> Outcome:
    """Select the other reference, explain the decision against it, and compare the reasons."""
    recorded = read_recorded(resources, evaluation, METHODS)
    ranked = read_ranked(recorded)
    words = _words(resources, recorded)
    lease.report(0.0)
    other = select_other(resources, recorded, str(evaluation.parameters.get("reference")))
    loaded = recorded.loaded
    outputs = outputs_of(loaded.rule, contrast_of(recorded.private))
    try:
        attribution = attribute_against(loaded.model, outputs, recorded.row, other.rows, lease.report)
    except ExplainError as error:
        raise EvaluationImpossible("attribution-unreconciled") from error
    result = {
        "recorded": {**_described(loaded.reference), "reasons": [one["code"] for one in ranked.reasons]},
        "other": {**_described(other), "reasons": _codes(recorded, ranked, attribution, other, words)},
        **asdict(agreement(ranked.ranking, recorded.phi, attribution.phi)),
        "reconciliation_error": attribution.error,
        "method": attribution.method,
    }
    completed = completed_about(evaluation, recorded, result, _values(recorded, ranked, attribution))
    return Outcome("completed", None, orjson.dumps(result), (completed,))


def _words(resources: Resources, recorded: Recorded) -> ReasonCatalogue:
    """The catalogue that the explanation was worded by; the version's own where the entry names none."""
    named, loaded = recorded.body.get("catalogue"), recorded.loaded
    if not isinstance(named, Mapping) or named.get("digest") == loaded.words.digest:
        return loaded.words
    try:
        with transaction(resources.pool) as conn:
            return read_catalogue(store.get_catalogue(conn, str(named["name"]), str(named["version"])))
    except RegistryError as error:
        raise EvaluationImpossible("catalogue-not-readable") from error


def select_other(resources: Resources, recorded: Recorded, kind: str) -> Reference:
    """Read the uploaded rows again and choose from them as the manifest would for this kind."""
    if kind not in KINDS:
        raise EvaluationImpossible("parameters-unknown")
    loaded = recorded.loaded
    wanted = loaded.manifest.reference
    try:
        with reaching(), transaction(resources.pool) as conn:
            uploaded = store.read_blob(conn, loaded.uploaded_digest)
        rows = read_reference(uploaded, None, loaded.manifest)
        chosen = cast("ReferenceKind", kind)
        band = _band(recorded) if kind == "near_cutoff_approved" else None
        return select_reference(
            loaded.model, loaded.rule, rows, chosen, band, minimum_rows=wanted.minimum_rows
        )
    except ReferenceTooSmall as error:
        raise EvaluationImpossible("reference-too-small") from error
    except (RegistryError, ExplainError) as error:
        raise EvaluationImpossible("reference-not-readable") from error


def _band(recorded: Recorded) -> float:
    """The manifest's band; without one, the usual for a probability, and otherwise the nearest rows alone."""
    declared = recorded.loaded.manifest.reference.band
    if declared is not None:
        return float(declared)
    return DEFAULT_BAND if recorded.loaded.rule.is_probability else 0.0


def _described(reference: Reference) -> dict[str, object]:
    return {
        "kind": reference.kind,
        "rows": len(reference.rows),
        "band": reference.band,
        "digest": reference.digest,
    }


def _codes(
    recorded: Recorded, ranked: Ranked, attribution: Attribution, other: Reference, words: ReasonCatalogue
) -> list[str | None]:
    """The codes of the principal factors, in order; None for a factor that the catalogue cannot word."""
    loaded = recorded.loaded
    instance, members = loaded.space.instance(recorded.row), members_of(loaded.factors, loaded.space)
    codes: list[str | None] = []
    for at in ranked.ranking.principal(attribution.phi[np.newaxis])[0].tolist():
        if at == NONE:
            break
        try:
            worded = word_factor(
                loaded.factors[at], members[at], instance, other, space=loaded.space, words=words
            )
        except ReasonUnmapped:
            codes.append(None)
        else:
            codes.append(worded.code)
    return codes


def _values(recorded: Recorded, ranked: Ranked, attribution: Attribution) -> dict[str, object]:
    """Each factor's contribution under both references: numbers about one person, for the private part."""
    sign = recorded.loaded.rule.adverse_sign()
    both = sign * ranked.ranking.adverse(np.stack([recorded.phi, attribution.phi]))
    names: Sequence[str] = [factor.name for factor in recorded.loaded.factors]
    return {
        "base_value": attribution.base_value,
        "factors": [
            {"factor": name, "recorded": float(own), "other": float(other)}
            for name, own, other in zip(names, *both, strict=True)
        ],
    }
