"""One model version in memory, with everything that an explanation needs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from explain.catalogue import ReasonCatalogue
from explain.counterfactual.constraints.checker import Constraints
from explain.counterfactual.search import CounterfactualSearch
from explain.errors import ManifestContradiction, ModelUnsupported
from explain.features import FeatureSpace
from explain.models import load_model
from explain.models.base import Model
from explain.outcome import OutcomeRule
from explain.reasons import Factor
from explain.reference import Reference
from registry.catalogues import Catalogue, read_catalogue
from registry.conversions import constraints_of, factors_of, rule_of, space_of
from registry.manifests import ParsedManifest
from schemas.manifest import Manifest

if TYPE_CHECKING:
    from explain.attribution.preparing import Shap

TABLE_BYTES = 256 << 20  # what the prepared tables of one version may take, unless said otherwise


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Understood:
    """A manifest in the explanation core's own types, and its model as the native library loaded it."""

    parsed: ParsedManifest
    space: FeatureSpace
    rule: OutcomeRule
    factors: tuple[Factor, ...]
    constraints: Constraints
    model: Model


def understand(parsed: ParsedManifest, artifact: bytes) -> Understood:
    """Convert the manifest and load the artifact beside it.

    Raises ModelUnsupported, ModelCorrupt, ManifestContradiction or ConstraintError.
    """
    manifest = parsed.manifest
    rule = rule_of(manifest)
    model = load_model(manifest.family, artifact, space_of(manifest))
    space = model.space  # the declared features, with the width in which this model reads numbers
    constraints = constraints_of(manifest, space)
    _check_outputs(model.form().outputs, rule)
    return Understood(
        parsed=parsed,
        space=space,
        rule=rule,
        factors=factors_of(manifest),
        constraints=constraints,
        model=model,
    )


def _check_outputs(outputs: int, rule: OutcomeRule) -> None:
    """The manifest names one class for each output, or no classes for the only one."""
    if rule.contrast is None:
        if outputs > 1:
            raise ModelUnsupported(f"several outputs ({outputs} classes or targets) without outcome.classes")
        return
    if outputs != len(rule.contrast.classes):
        raise ManifestContradiction(
            f"the artifact has {outputs} outputs, the manifest {len(rule.contrast.classes)} classes"
        )


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class LoadedVersion:
    """A model version ready to explain with; immutable and shared by all threads."""

    model_name: str
    version: str
    manifest: Manifest
    manifest_digest: str
    artifact_digest: str
    uploaded_digest: str
    reference_digest: str
    catalogue: Catalogue
    words: ReasonCatalogue
    model: Model
    reference: Reference
    shap: Shap
    space: FeatureSpace
    rule: OutcomeRule
    factors: tuple[Factor, ...]
    constraints: Constraints
    search: CounterfactualSearch


def assemble(
    understood: Understood,
    reference: Reference,
    *,
    uploaded_digest: str,
    catalogue: Catalogue,
    cache_dir: Path | None,
    table_bytes: int,
) -> LoadedVersion:
    """Prepare the attribution over the whole reference and put everything together."""
    from explain.attribution.preparing import prepare_attribution  # noqa: PLC0415  pulls the compiler: seconds

    parsed = understood.parsed
    return LoadedVersion(
        model_name=parsed.manifest.model,
        version=parsed.manifest.version,
        manifest=parsed.manifest,
        manifest_digest=parsed.digest,
        artifact_digest=understood.model.digest,
        uploaded_digest=uploaded_digest,
        reference_digest=reference.digest,
        catalogue=catalogue,
        words=read_catalogue(catalogue),
        model=understood.model,
        reference=reference,
        shap=prepare_attribution(
            understood.model, reference.rows, cache_dir=cache_dir, memory_cap_bytes=table_bytes
        ),
        space=understood.space,
        rule=understood.rule,
        factors=understood.factors,
        constraints=understood.constraints,
        search=CounterfactualSearch.prepare(
            understood.model, understood.rule, understood.constraints, reference
        ),
    )
