"""The recorded attribution against an independent estimate of the same Shapley values.

An alarm must mean something: a feature disagrees only when its difference exceeds a fixed tolerance plus as
many standard errors as hold a family-wise false-alarm rate of 1e-4 a day over all features of all checks
(Bonferroni: Dunn 1961).
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from explain.attribution.kernelshap import KernelShapEstimate

FloatArray = NDArray[np.float64]

FALSE_ALARMS_A_DAY = 1e-4
CHECKS_A_DAY = 100_000
PRINCIPAL = 4  # Regulation B, comment 9(b)(2)-1: more than four reasons help nobody


@dataclass(frozen=True, slots=True)
class CrossCheck:
    """What the comparison found, in margin space; the agreements are shares from 0 to 1.

    `top_agreement` is the overlap of the four features of largest |phi|; `sign_agreement` counts only those
    features whose recorded value is larger than what the comparison can resolve.
    """

    agrees: bool
    max_abs_difference: float
    base_value_difference: float
    max_standard_error: float
    tolerance: float
    critical_value: float
    top_agreement: float
    sign_agreement: float


def critical_value(features: int) -> float:
    """How many standard errors one feature may be away before it counts as a disagreement."""
    return -NormalDist().inv_cdf(FALSE_ALARMS_A_DAY / (2 * max(features, 1) * CHECKS_A_DAY))


def cross_check(
    base_value: float, phi: FloatArray, estimate: KernelShapEstimate, *, tolerance: float
) -> CrossCheck:
    """Compare recorded values, phi of shape (features,), with an estimate; `tolerance` is absolute."""
    critical = critical_value(len(phi))
    difference = np.abs(phi - estimate.phi)
    resolved = tolerance + critical * estimate.standard_error
    base_difference = abs(base_value - estimate.base_value)
    clear = np.abs(phi) > resolved
    same_sign = np.sign(phi[clear]) == np.sign(estimate.phi[clear])
    return CrossCheck(
        agrees=bool((difference <= resolved).all()) and base_difference <= tolerance,
        max_abs_difference=float(difference.max(initial=0.0)),
        base_value_difference=base_difference,
        max_standard_error=float(estimate.standard_error.max(initial=0.0)),
        tolerance=tolerance,
        critical_value=critical,
        top_agreement=_overlap(phi, estimate.phi),
        sign_agreement=float(same_sign.mean()) if clear.any() else 1.0,
    )


def _overlap(left: FloatArray, right: FloatArray) -> float:
    """The share of the features of largest |phi| that both name; of equal ones the earlier feature."""
    count = min(PRINCIPAL, len(left))
    if count == 0:
        return 1.0
    tops = [set(np.argsort(-np.abs(values), kind="stable")[:count].tolist()) for values in (left, right)]
    return len(tops[0] & tops[1]) / count
