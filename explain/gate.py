"""The registration gate: what would go wrong in production is to go wrong here.

Every probe compares our attribution with the native library itself: totals with its margins (on reference
rows, at thresholds and one unit in the last place beside them, at zero, with missing values, with every
category), and values with brute force over all coalitions of a few features while the others are frozen.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from explain.attribution.base import reconcile, tolerance_for
from explain.attribution.games import interventional
from explain.attribution.preparing import Shap, method_of, prepare_attribution
from explain.attribution.treeshap import Storage
from explain.brute_force import frozen_game
from explain.errors import AttributionUnreconciled, ManifestContradiction
from explain.evaluation.grouping import Grouped, grouping_warnings
from explain.evaluation.usage import noise_warnings, unused_warnings, used_features
from explain.evaluation.warning import ModelWarning
from explain.features import FloatWidth
from explain.models.base import Form, Model
from explain.models.capabilities import versions_tested
from explain.models.ensemble import LEAF, MISSING_NAN, MISSING_NONE, MISSING_ZERO, NUMERIC, TreeEnsemble
from explain.outcome import OutcomeRule
from explain.probes import probe_rows
from explain.reasons import Factor
from explain.reference import Reference

Reals = NDArray[np.float64]

GAMES = 6
GAME_FEATURES = 6
GAME_ROWS = 8
TIMED_ROWS = 64
TABLE_OUTPUTS = 16
MISSING_KINDS = {MISSING_NAN: "nan", MISSING_ZERO: "zero", MISSING_NONE: "as_zero"}


@dataclass(frozen=True, slots=True)
class CapabilityReport:
    """What the gate found; all values are plain, errors are absolute and in margin space.

    `versions_tested` are those of the family's library that the capability matrix was found with.
    Inputs are rounded to `input_width` bits and then compared by `comparison` (None where nothing is), sums
    have `float_width` bits. `missing` says what the numeric splits, or the weights, make of a missing number:
    "nan", it follows the split's default; "zero", so does a zero; "as_zero", it is the number zero.
    """

    family: str
    constructs: tuple[str, ...]
    versions_tested: tuple[str, ...]
    outputs: int
    input_width: FloatWidth
    float_width: FloatWidth
    comparison: str | None
    missing: tuple[str, ...]
    features: int
    trees: int
    nodes: int
    leaves: int
    reference_rows: int
    reference_favourable_rows: int
    storage: Storage
    probes: int
    reconciliation_max_error: float
    reconciliation_tolerance: float
    brute_force_games: int
    brute_force_max_error: float
    tables_max_error: float
    latency_median_ms: float


def examine(
    model: Model,
    rule: OutcomeRule,
    reference: Reference,
    shap: Shap,
    *,
    timer: Callable[[], float] = time.perf_counter,
) -> CapabilityReport:
    """Probe a prepared model; AttributionUnreconciled where it cannot be explained exactly.

    The probes are drawn from the model's digest alone, so that a second examination makes the same ones.
    """
    generator = np.random.default_rng(list(model.digest.encode()))
    rows = reference.rows
    form = model.form()
    probes = probe_rows(form, model.space, rows, generator)
    error, tolerance = _reconcile_all(model, shap, probes)
    trees, nodes, leaves = _sizes(form)
    return CapabilityReport(
        family=model.family,
        constructs=model.constructs(),
        versions_tested=versions_tested(model.family),
        outputs=form.outputs,
        input_width=form.input_width,
        float_width=form.float_width,
        comparison=form.comparison if isinstance(form, TreeEnsemble) else None,
        missing=_missing_kinds(form),
        features=form.n_features,
        trees=trees,
        nodes=nodes,
        leaves=leaves,
        reference_rows=len(rows),
        reference_favourable_rows=_favourable(model, rule, rows),
        storage=shap.storage,
        probes=len(probes),
        reconciliation_max_error=error,
        reconciliation_tolerance=tolerance,
        brute_force_games=GAMES,
        brute_force_max_error=max(_play(model, probes, rows, generator) for _ in range(GAMES)),
        tables_max_error=_compare_tables(model, shap, probes, rows),
        latency_median_ms=_latency(model, shap, probes[:TIMED_ROWS], timer),
    )


def warn(
    explained: tuple[Model, Shap, OutcomeRule],
    rows: tuple[Reals, Reals],
    factors: Sequence[Factor],
    noise: AbstractSet[str],
) -> tuple[ModelWarning, ...]:
    """Say what would be explained exactly and yet not well; `rows` are (reference, uploaded) rows.

    `noise` names the features that are declared to carry nothing.
    """
    model, space = explained[0], explained[0].space
    reference, uploaded = rows
    owner = {feature: factor.name for factor in factors for feature in factor.features}
    used = used_features(model.form())
    grouped = Grouped(space, uploaded, [owner[name] for name in space.names], used)
    return (
        *noise_warnings(explained, reference, factors, noise),
        *grouping_warnings(grouped),
        *unused_warnings(space.names, factors, used, uploaded),
    )


def _sizes(form: Form) -> tuple[int, int, int]:
    """Count trees, nodes and leaves; a linear function has none."""
    if not isinstance(form, TreeEnsemble):
        return 0, 0, 0
    return form.tree_count, form.node_count, form.leaf_count


def _missing_kinds(form: Form) -> tuple[str, ...]:
    if not isinstance(form, TreeEnsemble):
        return (MISSING_KINDS[MISSING_NONE],)
    numeric = (form.left != LEAF) & (form.category_start == NUMERIC)
    return tuple(MISSING_KINDS[kind] for kind in np.unique(form.missing[numeric]).tolist())


def _favourable(model: Model, rule: OutcomeRule, rows: Reals) -> int:
    """Count favourable rows; ManifestContradiction where a probability is promised and none is given."""
    prediction = model.predict(rows)
    scores = rule.scores_of(prediction.margins, prediction.scores)
    if rule.is_probability and not np.all((scores >= 0.0) & (scores <= 1.0)):
        stray = float(scores[~((scores >= 0.0) & (scores <= 1.0))][0])
        raise ManifestContradiction(f"the score {stray:g} of a reference row is no {rule.score}")
    return int(np.count_nonzero(rule.favourable_mask(scores)))


def _reconcile_all(model: Model, shap: Shap, probes: Reals) -> tuple[float, float]:
    """Compare every probe's total with the native margin, output by output; return the largest error.

    Beside it stands the tolerance it had.
    """
    worst = (0.0, tolerance_for(0.0, model.float_width))
    for output, expected in enumerate(_columns(model.margins(probes))):
        base_value, phi = shap.explain_batch(probes, output)
        totals = base_value + phi.sum(axis=1)
        errors = np.abs(totals - expected)
        tolerances = np.array([tolerance_for(margin, model.float_width) for margin in expected.tolist()])
        failed = ~(errors <= tolerances)  # NaN fails too
        at = int(np.argmax(failed)) if failed.any() else int(np.argmax(errors))
        if failed.any():
            raise AttributionUnreconciled(float(expected[at]), float(totals[at]), float(tolerances[at]))
        worst = max(worst, (float(errors[at]), float(tolerances[at])))
    return worst


def _columns(margins: Reals) -> Reals:
    """Return margins of n rows, shape (n,) or (n, outputs), as shape (outputs, n)."""
    return margins.reshape(len(margins), -1).T


def _play(model: Model, probes: Reals, rows: Reals, generator: np.random.Generator) -> float:
    """Compare one game of a few features with brute force over native margins; return the largest error."""
    used = _used(model)
    players = np.sort(generator.choice(used, min(GAME_FEATURES, len(used)), replace=False))
    row = probes[generator.integers(len(probes))]
    reference = np.repeat(row[np.newaxis, :], GAME_ROWS, axis=0)
    reference[:, players] = rows[generator.integers(len(rows), size=GAME_ROWS)][:, players]
    shap = prepare_attribution(model, reference, cache_dir=None)
    largest = 0.0
    for output, truth in enumerate(_columns(frozen_game(model.margins, row, reference, players))):
        _, phi = shap.explain(row, output)
        largest = max(largest, _compared(phi, truth, model.float_width))
    return largest


def _compare_tables(model: Model, shap: Shap, probes: Reals, rows: Reals) -> float:
    """Compare the prepared values of a few probes with those of another algorithm; return the largest error.

    A total cannot tell two wrong values that make up for each other. The games' engine reads neither the
    tables nor anything they are made from.
    """
    form = model.form()
    if not isinstance(form, TreeEnsemble):
        return 0.0
    largest = 0.0
    for probe in (probes[0], probes[-1]):
        for output in range(min(form.outputs, TABLE_OUTPUTS)):
            _, truth = interventional(form, probe, rows, output)
            _, phi = shap.explain(probe, output)
            largest = max(largest, _compared(phi, truth, model.float_width))
    return largest


def _compared(phi: Reals, truth: Reals, float_width: FloatWidth) -> float:
    """Return the largest difference; AttributionUnreconciled beyond what the model's width allows."""
    error = float(np.abs(phi - truth).max(initial=0.0))
    tolerance = tolerance_for(float(np.abs(truth).sum()), float_width)
    if not error <= tolerance:
        worst = int(np.argmax(np.abs(phi - truth)))
        raise AttributionUnreconciled(float(truth[worst]), float(phi[worst]), tolerance)
    return error


def _used(model: Model) -> NDArray[np.int64]:
    """Return the features that a split tests or a weight multiplies, or the first one where none is."""
    used = np.flatnonzero(used_features(model.form())).astype(np.int64)
    return used if len(used) else np.zeros(1, dtype=np.int64)


def _latency(model: Model, shap: Shap, rows: Reals, timer: Callable[[], float]) -> float:
    """Return the median time to explain and reconcile one row, in milliseconds.

    Of several outputs a decision compares two.
    """
    times = []
    for row in rows:
        started = timer()
        for output, expected in enumerate(_columns(model.margins(row[np.newaxis, :]))[:2, 0].tolist()):
            base_value, phi = shap.explain(row, output)
            reconcile(base_value, phi, expected, model.float_width, method=method_of(shap))
        times.append(timer() - started)
    return 1e3 * float(np.median(times))
