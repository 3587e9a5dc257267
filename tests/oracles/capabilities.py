"""The capability matrix as the installed libraries show it, and as the documentation prints it."""

from __future__ import annotations

import json
from importlib.metadata import version

import pytest

from explain.errors import ManifestContradiction, ModelUnsupported
from explain.models import ADAPTERS, load_model
from explain.models.capabilities import Exact, Library, Refusal
from explain.models.linear import LinearForm
from tests.oracles.cases import Refused
from tests.oracles.families import CONSTRUCTS, ORACLE, REFUSED, case_of

LIBRARIES = {
    "catboost": ("catboost",),
    "lightgbm": ("lightgbm",),
    "sklearn": ("scikit-learn", "skops"),
    "xgboost": ("xgboost-cpu",),
}
BOUNDS = {width: f"{bound:.0e}".replace("e-0", "e-") for width, bound in ORACLE.items()}
TITLES = {"catboost": "CatBoost", "lightgbm": "LightGBM", "sklearn": "scikit-learn", "xgboost": "XGBoost"}


def found() -> tuple[Library, ...]:
    """Train, load and refuse everything with the installed libraries."""
    return tuple(
        Library(
            family=family,
            version=version_of(family),
            exact=tuple(_exact(one) for one in CONSTRUCTS if one.family == family),
            refused=tuple(Refusal(one.name, refusal_of(one)) for one in REFUSED if one.family == family),
        )
        for family in sorted(ADAPTERS)
    )


def version_of(family: str) -> str:
    """The installed version of a family's library, and of the format's where that is another one."""
    first, *others = LIBRARIES[family]
    return " ".join([version(first), *(f"({name} {version(name)})" for name in others)])


def refusal_of(refused: Refused) -> str:
    """The words in which something is refused."""
    artifact, space = refused.artifact()
    with pytest.raises((ModelUnsupported, ManifestContradiction), match=refused.says) as caught:
        load_model(refused.family, artifact, space)
    error = caught.value
    return error.construct if isinstance(error, ModelUnsupported) else str(error)


def _exact(construct: object) -> Exact:
    case = case_of(construct)
    form = case.form
    shape = "linear" if isinstance(form, LinearForm) else "trees"
    return Exact(case.construct.name, shape, form.outputs, form.input_width, form.float_width)


def written(matrix: tuple[Library, ...]) -> bytes:
    """Write the matrix as its record, one line for each library version."""
    lines = [
        json.dumps(
            {
                "family": tested.family,
                "version": tested.version,
                "exact": [
                    [one.name, one.form, one.outputs, one.input_width, one.float_width]
                    for one in tested.exact
                ],
                "refused": [[one.name, one.words] for one in tested.refused],
            }
        )
        for tested in sorted(matrix, key=lambda one: (one.family, one.version))
    ]
    return ("[\n" + ",\n".join(lines) + "\n]\n").encode()


def overview(matrix: tuple[Library, ...]) -> str:
    """docs/capabilities.md: one line for each family."""
    lines = [
        "# Capabilities",
        "",
        "What is explained exactly, and what is refused by name, for each family of models. These pages",
        "are written by the conformance tests (`make capabilities`): each construct is trained with the",
        "library itself, and for each of its outputs the values are compared with the enumeration of all",
        "coalitions over the library's own leaves, the totals with the library's own margin; also at",
        "thresholds and one unit in the last place beside them, at zero, in gaps and in every category.",
        "",
        "Values lie within 1e-6 of the enumeration where the library adds in 32 bits, within 1e-9 where it",
        "adds in 64, times max(1, |margin|). A model that is made of anything else is refused when it is",
        "registered; so is one whose probes do not agree, whatever it is made of.",
        "",
        "| family | library versions tested | explained exactly | refused by name |",
        "|---|---|---|---|",
    ]
    for family in sorted({tested.family for tested in matrix}):
        own = [tested for tested in matrix if tested.family == family]
        exact, refused = _union(own)
        name = f"[{TITLES[family]}](capabilities/{family}.md)"
        versions = ", ".join(tested.version for tested in own)
        lines.append(f"| {name} | {versions} | {len(exact)} constructs | {len(refused)} |")
    return "\n".join(lines) + "\n"


def page(family: str, matrix: tuple[Library, ...]) -> str:
    """docs/capabilities/<family>.md: one line for each construct."""
    own = [tested for tested in matrix if tested.family == family]
    exact, refused = _union(own)
    head = " | ".join(tested.version for tested in own)
    rule = "---|" * len(own)
    lines = [
        f"# {TITLES[family]}",
        "",
        "Written by `make capabilities`; what it means is told in [capabilities](../capabilities.md). The",
        "last columns are versions of the library; what one of them does not train is left empty.",
        "",
        "## Explained exactly",
        "",
        f"| construct | form | outputs | reads | adds | within | {head} |",
        f"|---|---|---|---|---|---|{rule}",
    ]
    for one in exact:
        marks = " | ".join("exact" if one in tested.exact else "" for tested in own)
        bits = f"{one.input_width} bits | {one.float_width} bits | {BOUNDS[one.float_width]}"
        lines.append(f"| {_cell(one.name)} | {one.form} | {one.outputs} | {bits} | {marks} |")
    lines += ["", "## Refused by name", "", f"| what | in these words | {head} |", f"|---|---|{rule}"]
    for refusal in refused:
        marks = " | ".join("refused" if refusal in tested.refused else "" for tested in own)
        lines.append(f"| {_cell(refusal.name)} | {_cell(refusal.words)} | {marks} |")
    return "\n".join(lines) + "\n"


def _union(own: list[Library]) -> tuple[list[Exact], list[Refusal]]:
    """Every row of any version, in the order of the newest one."""
    exact = {row: None for tested in reversed(own) for row in tested.exact}
    refused = {row: None for tested in reversed(own) for row in tested.refused}
    return list(exact), list(refused)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("`", "'")
