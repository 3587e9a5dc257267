"""Every construct of every family, found by looking, trained and loaded once for all tests."""

from __future__ import annotations

import importlib
import pkgutil
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
from numpy.typing import NDArray

import tests.conformance.explain.families as folder
from explain.attribution.preparing import Shap, prepare_attribution
from explain.models import load_model
from explain.models.base import Form, Model
from explain.models.linear import LinearForm
from explain.probes import probe_rows
from tests.oracles import trees
from tests.oracles.cases import Construct, Example, Refused

Reals = NDArray[np.float64]

MODULES = tuple(
    importlib.import_module(f"{folder.__name__}.{found.name}")
    for found in sorted(pkgutil.iter_modules(folder.__path__), key=lambda found: found.name)
)
CONSTRUCTS: tuple[Construct, ...] = tuple(one for module in MODULES for one in module.CONSTRUCTS)
REFUSED: tuple[Refused, ...] = tuple(one for module in MODULES for one in module.REFUSED)

PROBES = 160
ORACLE = {32: 1e-6, 64: 1e-9}  # how far values may lie from the float64 enumeration, relatively


@dataclass(frozen=True, eq=False)
class Case:
    """One construct, trained, loaded through its adapter and prepared."""

    construct: Construct
    example: Example

    @cached_property
    def model(self) -> Model:
        """The model as the service would load it."""
        return load_model(self.construct.family, self.example.artifact, self.example.space)

    @cached_property
    def form(self) -> Form:
        """Its intermediate form."""
        return self.model.form()

    @cached_property
    def shap(self) -> Shap:
        """Its exact attribution against the example's reference."""
        return prepare_attribution(self.model, self.example.reference, cache_dir=None)

    @cached_property
    def probes(self) -> Reals:
        """Rows at thresholds and beside them, at zeros, in gaps, in every category."""
        generator = np.random.default_rng(17)
        rows = np.concatenate([self.example.rows, self.example.reference])
        every = probe_rows(self.form, self.model.space, rows, generator)
        return every[np.sort(generator.permutation(len(every))[:PROBES])]

    def margins64(self, rows: Reals) -> Reals:
        """The truth in float64, shape (n, outputs)."""
        return self.example.margins64(rows).reshape(len(rows), self.form.outputs)

    def native(self, rows: Reals) -> Reals:
        """What the library's own Python package gives, shape (n, outputs)."""
        return np.asarray(self.example.native(rows), dtype=np.float64).reshape(len(rows), self.form.outputs)


@cache
def case_of(construct: Construct) -> Case:
    """Train a construct's example, once."""
    return Case(construct, construct.train())


def name_of(case: Construct | Refused) -> str:
    """The name of a test: the family and the construct."""
    return f"{case.family}: {case.name}"


def walked(form: Form, rows: Reals) -> Reals:
    """The margins of a form, shape (n, outputs), read as its docstring says, one node or weight at a time."""
    if not isinstance(form, LinearForm):
        return trees.margins(form, rows)
    seen = rows.astype(np.float32).astype(np.float64) if form.input_width == 32 else rows
    totals = [
        [
            float(base) + sum(x * w for x, w in zip(row, weights, strict=True) if not np.isnan(x))
            for base, weights in zip(form.base_margins, form.weights, strict=True)
        ]
        for row in seen
    ]
    return np.array(totals)


def games_of(case: Case, rows: Reals) -> Reals:
    """Every coalition's value in the interventional game of each row, shape (n, 2^d, outputs); one call."""
    reference, d = case.example.reference, rows.shape[1]
    coalitions = np.arange(1 << d)[:, None] >> np.arange(d) & 1 == 1
    hybrids = np.where(coalitions[None, :, None, :], rows[:, None, None, :], reference[None, None, :, :])
    margins = case.margins64(hybrids.reshape(-1, d))
    return margins.reshape(len(rows), 1 << d, len(reference), -1).mean(axis=2)
