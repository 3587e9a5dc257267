"""The other exact Shapley quantities of tree ensembles: for evaluations and second opinions, row by row.

All are in margin space, of one output. `row` has shape (features,), a reference (n, features), both float64
as the caller sent them; they are rounded to the ensemble's `input_width` here. Base value and values add up
to the row's margin. The engine is `games_kernel`, which shares nothing with the tables of `treeshap`. The
GIL is released. ValueError for a wrong shape, ModelUnsupported for a model whose game is not defined.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from explain.attribution.base import Attribution, reconcile
from explain.attribution.structures import narrowed
from explain.errors import ModelUnsupported
from explain.models.base import Model, tree_form
from explain.models.ensemble import LEAF, TreeEnsemble

if TYPE_CHECKING:
    from explain.attribution.quadrature import Rules
    from explain.attribution.walking import Walked

Reals = NDArray[np.float64]

PATH_DEPENDENT = "path_dependent_treeshap"
SINGLE_REFERENCE = "single_reference_treeshap"

_NO_PAIRS = (0, 0)


def interventional(trees: TreeEnsemble, row: Reals, reference: Reals, output: int = 0) -> tuple[float, Reals]:
    """Return the reference's mean margin and the interventional Shapley values, shape (features,).

    The value of a coalition is the mean margin over the reference rows with the coalition's features from the
    explained row (Lundberg et al. 2020, "interventional"): the same quantity as `treeshap.TreeShap`, by
    another algorithm.
    """
    base_value, phi, _ = _against_rows(trees.of_output(output), row, reference, pairs=False)
    return base_value, phi


def single_reference(
    trees: TreeEnsemble, row: Reals, reference_row: Reals, output: int = 0
) -> tuple[float, Reals]:
    """Return one reference row's margin and the baseline Shapley values against it, shape (features,).

    The value of a coalition is the margin of the reference row with the coalition's features from the
    explained row (Sundararajan and Najmi 2020, eq. 4, "baseline Shapley").
    """
    return interventional(trees, row, reference_row[np.newaxis], output)


def each_reference(trees: TreeEnsemble, row: Reals, reference: Reals, output: int = 0) -> Reals:
    """Return the baseline Shapley values against every reference row alone, shape (n, features).

    Their mean over any choice of rows is the interventional value against that choice, because the value of a
    coalition is a mean over rows (Shapley 1953, additivity).
    """
    # numba takes most of a second to import: saved by a process that explains nothing.
    from explain.attribution.games_each import play_each  # noqa: PLC0415
    from explain.attribution.walking import walked  # noqa: PLC0415

    own = trees.of_output(output)
    _check_reference(own, reference)
    phi = np.zeros(reference.shape)
    grove, columns = walked(own), np.ascontiguousarray(narrowed(reference, own.input_width).T)
    depth, rules, given = _prepared(grove, own, row)
    play_each(grove, depth, given, columns, rules, phi)
    return phi


def path_dependent(trees: TreeEnsemble, row: Reals, output: int = 0) -> tuple[float, Reals]:
    """Return the covers' mean margin and the path-dependent Shapley values, shape (features,).

    The value of a coalition follows the explained row at splits on its features and averages both children by
    their training covers at all others (Lundberg et al. 2020, Algorithm 1). ModelUnsupported where the file
    holds no covers, and for a row that meets a split which no training row reached: its mean is undefined.
    """
    base_value, phi, _ = _by_covers(trees.of_output(output), row, pairs=False)
    return base_value, phi


def interactions(trees: TreeEnsemble, row: Reals, reference: Reals, output: int = 0) -> tuple[float, Reals]:
    """Return the reference's mean margin and the Shapley interaction values, shape (features, features).

    Of the interventional game, with one reference row of the single-reference game. An entry off the diagonal
    is half of the pair's Shapley interaction index (Fujimoto et al. 2006), the diagonal what is left of phi
    (Lundberg et al. 2020, eq. 8 and 9): symmetric, rows add up to phi, all of it and the base value to the
    margin.
    """
    base_value, phi, pairs = _against_rows(trees.of_output(output), row, reference, pairs=True)
    return base_value, _matrix(phi, pairs)


def path_dependent_interactions(trees: TreeEnsemble, row: Reals, output: int = 0) -> tuple[float, Reals]:
    """Return the covers' mean margin and the interaction values of the path-dependent game.

    As `interactions` and `path_dependent`.
    """
    base_value, phi, pairs = _by_covers(trees.of_output(output), row, pairs=True)
    return base_value, _matrix(phi, pairs)


def attribute_single_reference(
    model: Model, row: Reals, reference_row: Reals, output: int = 0
) -> Attribution:
    """Explain one row against another, reconciled with the native library's own margin of that row."""
    base_value, phi = single_reference(tree_form(model), row, reference_row, output)
    return reconcile(base_value, phi, _native(model, row, output), model.float_width, method=SINGLE_REFERENCE)


def attribute_path_dependent(model: Model, row: Reals, output: int = 0) -> Attribution:
    """Explain one row by the training covers, reconciled with the native library's own margin of that row."""
    base_value, phi = path_dependent(tree_form(model), row, output)
    return reconcile(base_value, phi, _native(model, row, output), model.float_width, method=PATH_DEPENDENT)


def _native(model: Model, row: Reals, output: int) -> float:
    return float(np.ravel(model.margins(row[np.newaxis]))[output])


def _against_rows(
    trees: TreeEnsemble, row: Reals, reference: Reals, *, pairs: bool
) -> tuple[float, Reals, Reals]:
    # numba takes most of a second to import: saved by a process that explains nothing.
    from explain.attribution.walking import add_leaves, walked  # noqa: PLC0415

    _check_reference(trees, reference)
    grove, rows = walked(trees), np.ascontiguousarray(narrowed(reference, trees.input_width))
    margins = np.zeros(len(rows))
    add_leaves(grove, rows, margins)
    _, phi, matrix = _play(grove, trees, row, (np.zeros(0), np.ascontiguousarray(rows.T)), pairs=pairs)
    return trees.base_margin + math.fsum(margins.tolist()) / len(rows), phi, matrix


def _by_covers(trees: TreeEnsemble, row: Reals, *, pairs: bool) -> tuple[float, Reals, Reals]:
    from explain.attribution.walking import walked  # noqa: PLC0415  as above

    ratios = _cover_ratios(trees)
    empty, phi, matrix = _play(
        walked(trees), trees, row, (ratios, np.zeros((trees.n_features, 1))), pairs=pairs
    )
    if not np.isfinite(phi).all() or not math.isfinite(empty):
        raise ModelUnsupported("path-dependent values of a row that goes where no training row went")
    return trees.base_margin + empty, phi, matrix


def _play(
    grove: Walked, trees: TreeEnsemble, row: Reals, against: tuple[Reals, Reals], *, pairs: bool
) -> tuple[float, Reals, Reals]:
    """Run the kernel `against` cover ratios or a reference's columns."""
    from explain.attribution.games_kernel import play  # noqa: PLC0415  as above

    depth, rules, given = _prepared(grove, trees, row)
    phi = np.zeros(trees.n_features)
    matrix = np.zeros((trees.n_features, trees.n_features) if pairs else _NO_PAIRS)
    empty = play(grove, depth, against[0], given, against[1], rules, phi, matrix)
    return float(empty), phi, matrix


def _prepared(grove: Walked, trees: TreeEnsemble, row: Reals) -> tuple[int, Rules, Reals]:
    """Return the depth of the deepest tree, the rules for its games, and the row as the model reads it."""
    from explain.attribution.quadrature import rules_up_to  # noqa: PLC0415  as above
    from explain.attribution.walking import deepest  # noqa: PLC0415

    if row.shape != (trees.n_features,):
        raise ValueError(f"a row of shape ({trees.n_features},) is needed, not {row.shape}")
    depth = deepest(grove)
    return depth, rules_up_to(min(depth, trees.n_features)), narrowed(row, trees.input_width)


def _check_reference(trees: TreeEnsemble, reference: Reals) -> None:
    if reference.ndim != 2 or reference.shape[1] != trees.n_features or not len(reference):
        raise ValueError(f"a reference of shape (n, {trees.n_features}) is needed, not {reference.shape}")


def _cover_ratios(trees: TreeEnsemble) -> Reals:
    """Return each node's share of its parent's cover: 1 for a root, NaN below a split without any."""
    if not len(trees.cover):
        raise ModelUnsupported("path-dependent values without covers in the file")
    if not np.all((trees.cover >= 0.0) & (trees.cover < np.inf)):
        raise ModelUnsupported("path-dependent values with covers that are no weights")
    inner = np.flatnonzero(trees.left != LEAF)
    inner_cover = np.where(trees.cover[inner] > 0.0, trees.cover[inner], np.nan)
    ratios = np.ones(trees.node_count)
    for children in (trees.left[inner], trees.right[inner]):
        ratios[children] = trees.cover[children] / inner_cover
    return ratios


def _matrix(phi: Reals, pairs: Reals) -> Reals:
    """Turn whole values of pairs, each at one of its two places, into the matrix whose rows add up to phi."""
    matrix = (pairs + pairs.T) / 2.0
    for feature, row in enumerate(matrix):
        matrix[feature, feature] = math.fsum([phi[feature], *(-row).tolist()])
    return matrix
