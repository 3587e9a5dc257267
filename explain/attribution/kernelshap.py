"""KernelSHAP: Shapley values of any margin function, exact for few features, otherwise sampled in pairs.

Lundberg and Lee 2017 with the paired sampling and the convergence test of Covert and Lee 2021. Small
coalition sizes are enumerated, the rest is sampled in antithetic pairs, and the least squares are solved
under the efficiency constraint. Nothing is shrunk (no l1): every feature keeps its value.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from explain.attribution.coalitions import (
    Coalitions,
    Game,
    Moments,
    coalitions_of_size,
    every_coalition,
    exact_values,
    kernel_mass,
    sampled_pairs,
)
from explain.errors import ExplainError

FloatArray = NDArray[np.float64]
Progress = Callable[[float], None]

METHOD = "kernelshap/1"
EXACT_PLAYERS = 11
CONVERGED = 0.01  # the largest standard error over the range of phi
_FEWEST_PAIRS = 128  # before a standard error is believed
_MOST_ENUMERATED = 2_000  # coalitions of one size; more are sampled, which may converge long before


class EffortTooSmall(ExplainError):
    """The evaluations allowed do not even cover the single features and their complements."""


@dataclass(frozen=True, slots=True, eq=False)
class KernelShapEstimate:
    """Shapley values in margin space with their standard errors, both of shape (features,).

    base_value + sum(phi) is the row's margin to rounding. `evaluations` counts the rows that were scored.
    `exact` values carry standard errors of 0; `converged` says that the largest standard error is at most 1 %
    of the range of phi.
    """

    base_value: float
    phi: FloatArray
    standard_error: FloatArray
    evaluations: int
    converged: bool
    exact: bool


def kernelshap(
    predict_margin: Callable[[FloatArray], FloatArray],
    row: FloatArray,
    reference: FloatArray,
    *,
    seed: int,
    max_evaluations: int,
    progress: Progress | None = None,
) -> KernelShapEstimate:
    """Estimate the interventional Shapley values of `row` (d,) against all rows of `reference` (n, d).

    `predict_margin` maps (m, d) rows to (m,) margins. Features in which no reference row differs from the row
    have the value 0 and are left out of the game. The same seed gives the same numbers. EffortTooSmall if
    `max_evaluations` rows do not suffice for the coalitions of one feature and of all but one.
    """
    tell = progress or (lambda _: None)
    game = Game(predict_margin, row, reference)
    allowed = (max_evaluations - game.evaluations) // len(reference)
    players = len(game.players)
    if players <= EXACT_PLAYERS and 2**players <= max(allowed, 2):
        values = game.values(every_coalition(players)) if players else np.zeros(1)
        tell(1.0)
        zero = np.zeros(players)
        return _estimate(game, exact_values(values, players), zero, exact=True, row=row)
    if allowed < 2 * players:
        raise EffortTooSmall(
            f"{max_evaluations} evaluations are too few for {players} features and {len(reference)} rows"
        )
    phi, error, exact = _Regression(game, allowed, tell).run(np.random.default_rng(seed))
    tell(1.0)
    return _estimate(game, phi, error, exact=exact, row=row)


def _estimate(
    game: Game, phi: FloatArray, error: FloatArray, *, exact: bool, row: FloatArray
) -> KernelShapEstimate:
    """Spread the players' values over all features; the others have 0."""
    all_phi, all_error = np.zeros(len(row)), np.zeros(len(row))
    all_phi[game.players] = phi
    all_error[game.players] = error
    return KernelShapEstimate(
        base_value=game.base_value,
        phi=all_phi,
        standard_error=all_error,
        evaluations=game.evaluations,
        converged=exact or _converged(phi, error),
        exact=exact,
    )


def _converged(phi: FloatArray, error: FloatArray) -> bool:
    return bool(error.max() <= CONVERGED * np.ptp(phi))


class _Regression:
    """The least squares over enumerated coalition sizes and sampled pairs of the remaining ones."""

    def __init__(self, game: Game, allowed: int, tell: Progress) -> None:
        self._game = game
        self._players = len(game.players)
        self._allowed = allowed
        self._left = allowed
        self._tell = tell
        self._mass = kernel_mass(self._players)
        self._total = -game.empty

    def run(self, rng: np.random.Generator) -> tuple[FloatArray, FloatArray, bool]:
        """Return phi, standard errors and whether every coalition was enumerated."""
        fixed = self._enumerate()
        rest = float(self._mass.sum())
        if rest <= 0.0:
            return fixed.solve(self._total), np.zeros(self._players), True
        drawn: list[Coalitions] = []
        gained: list[FloatArray] = []
        phi, error = fixed.solve(self._total), np.full(self._players, np.inf)
        for block in sampled_pairs(self._players, self._mass, rng):
            taken = block[: self._left - self._left % 2]
            if not len(taken):
                break
            drawn.append(taken)
            gained.append(self._gains(taken))
            phi, error = self._fit(fixed, np.concatenate(drawn), np.concatenate(gained), rest)
            if sum(map(len, drawn)) >= 2 * _FEWEST_PAIRS and _converged(phi, error):
                break
        return phi, error, False

    def _gains(self, coalitions: Coalitions) -> FloatArray:
        gains = self._game.values(coalitions) - self._game.empty
        self._left -= len(coalitions)
        self._tell(min(1.0, 1.0 - self._left / self._allowed))
        return gains

    def _enumerate(self) -> Moments:
        """Evaluate whole coalition sizes while sampling would visit each of their coalitions anyway."""
        players = self._players
        fixed = Moments(np.zeros((players, players)), np.zeros(players))
        for size in range(1, players // 2 + 1):
            sides = [size] if 2 * size == players else [size, players - size]
            mass = float(self._mass[sides].sum())
            count = len(sides) * _binomial(players, size, self._left)
            if size > 1 and count > min(_MOST_ENUMERATED, self._left * mass / self._mass.sum()):
                break
            coalitions = coalitions_of_size(players, size)
            fixed = fixed + Moments.of(coalitions, self._gains(coalitions), mass / count)
            self._mass[sides] = 0.0
        return fixed

    def _fit(
        self, fixed: Moments, coalitions: Coalitions, gains: FloatArray, rest: float
    ) -> tuple[FloatArray, FloatArray]:
        """Solve, and estimate the standard errors from the influence of each independent pair.

        Linearised in the sampled moments: pair k moves phi by P (b_k - A_k phi), P the projector.
        """
        moments = fixed + Moments.of(coalitions, gains, rest / len(coalitions))
        phi = moments.solve(self._total)
        z = coalitions.astype(np.float64)
        moved = z * (gains - z @ phi)[:, None]
        pairs = rest * (moved[0::2] + moved[1::2]) / 2.0 @ moments.projector()
        count = len(pairs)
        if count < 2:
            return phi, np.full(self._players, np.inf)
        error = pairs.std(axis=0, ddof=1) / np.sqrt(count)
        return phi, _above_rounding(error, gains)


def _above_rounding(error: FloatArray, gains: FloatArray) -> FloatArray:
    """Take errors that are only floating-point noise of the fit for 0."""
    noise = 1e-12 * float(np.abs(gains).max(initial=0.0))
    return np.where(error <= noise, 0.0, error)


def _binomial(players: int, size: int, cap: int) -> int:
    """Return how many coalitions have this size, or something above `cap` once it is passed."""
    count = 1
    for step in range(size):
        count = count * (players - step) // (step + 1)
        if count > cap:
            return cap + 1
    return count
