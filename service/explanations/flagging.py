"""What a reader of an explanation should know: one warning for each thing that is unusual about it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from explain.components import Combined
from explain.features import Instance
from explain.outcome import Decision
from explain.reasons import Reason
from records.private_parts import WarningRow
from registry.loading import LoadedVersion


def input_warnings(loaded: LoadedVersion, instance: Instance) -> Iterator[WarningRow]:
    """Missing, out-of-range and otherwise unusual inputs."""
    for feature, value in zip(loaded.space.features, instance.values, strict=True):
        if value is None:
            yield {"code": "missing", "feature": feature.name, "detail": "no value was given"}
    for warning in instance.warnings:
        yield {"code": warning.code, "feature": _feature_at(warning.pointer), "detail": warning.detail}


def reason_warnings(reasons: Sequence[Reason]) -> Iterator[WarningRow]:
    """Principal reasons at which a notice stops, and those worded as if a missing value had been given."""
    for reason in reasons:
        if reason.sensitive:
            yield _warning("sensitive_reason", f"principal factor {reason.factor} is sensitive")
        if reason.proxy:
            yield _warning("proxy_reason", f"principal factor {reason.factor} is declared a proxy")
        if reason.worded_as_value:
            detail = f"a value of {reason.factor} is missing, and the catalogue has no words for that"
            yield _warning("worded_as_value", detail)


def component_warnings(loaded: LoadedVersion, decision: Decision, combined: Combined) -> Iterator[WarningRow]:
    """What follows from other components than the model, and from a gray band without any."""
    others = [one.name for one in combined.failed if one.kind != "model"]
    if others:
        detail = f"{', '.join(others)}: denied beside the model; counterfactuals concern the model alone"
        yield _warning("components_failed", detail)
    band = loaded.manifest.outcome.gray_band
    decided = combined.model.result in ("passed", "failed")
    if decided and band is not None and band[0] <= decision.score <= band[1]:
        detail = "the score lies in the gray band and no judgment was sent: the threshold decided"
        yield _warning("gray_band", detail)


def protected_warnings(protected: Sequence[str]) -> Iterator[WarningRow]:
    """That protected attributes were not kept."""
    if protected:
        detail = "protected attributes were checked and not kept: this release has no fairness store"
        yield _warning("protected_not_stored", detail)


def _warning(code: str, detail: str) -> WarningRow:
    return {"code": code, "feature": None, "detail": detail}


def _feature_at(pointer: str) -> str:
    return pointer.removeprefix("/").replace("~1", "/").replace("~0", "~")
