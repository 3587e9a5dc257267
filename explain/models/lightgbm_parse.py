"""What a LightGBM model file says, read by ourselves before the native library sees the file.

The format is the text that `Booster.save_model` and `model_to_string` write (version v3 of LightGBM 2.3 to
3.3, v4 since 4.0): a head, the trees, then importances, training parameters and pandas' category lists.
Everything that is not known to be explained exactly is refused by name. The library trusts the head's counts
when it writes its results, so they must agree with each other and with the objective.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from explain.errors import ModelCorrupt, ModelUnsupported
from explain.models.ensemble import TreeEnsemble
from explain.models.lightgbm_forest import build_forest
from explain.models.lightgbm_text import count_member, integers, member, members, shown
from explain.models.lightgbm_trees import read_trees

VERSIONS = (b"v3", b"v4")
HEAD = frozenset(
    {
        "tree",
        "version",
        "num_class",
        "num_tree_per_iteration",
        "label_index",
        "max_feature_idx",
        "objective",
        "average_output",
        "feature_names",
        "monotone_constraints",
        "feature_infos",
        "tree_sizes",
    }
)
_POSITIVE = r"(?:[0-9]{1,20}(?:\.[0-9]{1,20})?(?:e[-+]?[0-9]{1,3})?)"
# Each objective as the library writes it, with the score it makes of a margin.
OBJECTIVES = {
    r"binary sigmoid:" + _POSITIVE: "sigmoid",
    r"(?:regression|regression_l1|huber|fair|quantile|mape)": "identity",
    r"(?:regression|regression_l1|fair|quantile|mape) sqrt": "signed square",
    r"(?:poisson|gamma|tweedie)": "exp",
    r"cross_entropy": "sigmoid",
    r"cross_entropy_lambda": "log1p exp",
    r"(?:lambdarank|rank_xendcg)": "identity",
    r"multiclass num_class:[0-9]{1,9}": "softmax",
    r"multiclassova num_class:[0-9]{1,9} sigmoid:" + _POSITIVE: "sigmoid",
}
CUSTOM = "custom"  # trained with an objective that the file does not hold: its scores are its margins
_INFO = re.compile(
    r"none|\[(?P<low>[^:\[\]]{1,40}):(?P<high>[^:\[\]]{1,40})\]|(?P<codes>-?[0-9]{1,10}(?::-?[0-9]{1,10})*+)"
)
_SETTING = re.compile(r"\[([a-z_0-9]+): ([^\]]*)\]")
_END = b"end of trees\n"
_CATEGORIES = "pandas_categorical:"


@dataclass(frozen=True, slots=True)
class FeatureInfo:
    """What training saw of one feature: the codes of a category, the range of a number, or neither."""

    codes: tuple[int, ...] = ()
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class LightGBMArtifact:
    """A checked model file.

    `rounds` is how many boosting rounds the file holds, all of which predict; `averaged` that the margin is
    their mean (random forests). `category_lists` are the lists of the pandas columns that were categories,
    in column order, None where the file carries none; `largest_codes[f]` the largest code a split on f lists.
    """

    objective: str
    link: str
    boosting: str
    feature_names: tuple[str, ...]
    feature_infos: tuple[FeatureInfo, ...]
    category_lists: tuple[tuple[str, ...], ...] | None
    largest_codes: Mapping[int, int]
    missing_kinds: frozenset[int]
    rounds: int
    averaged: bool
    ensemble: TreeEnsemble


def parse_lightgbm(artifact: bytes) -> LightGBMArtifact:
    """Read and check a model file; ModelCorrupt or ModelUnsupported otherwise."""
    if not artifact.startswith(b"tree\n"):
        raise ModelUnsupported("a file format other than LightGBM's model text")
    if b"\0" in artifact or b"\r" in artifact:
        raise ModelCorrupt("a control character, which the native library would read as an end")
    head, blank, rest = artifact.partition(b"\n\n")
    trees, end, tail = rest.partition(b"\n" + _END)
    if not blank or not end:
        raise ModelCorrupt("the head or the trees do not end")
    given = members(head.split(b"\n"), "the head")
    n_features = _check_head(given)
    sizes = integers(given, "tree_sizes", "the head").tolist()
    outputs = count_member(given, "num_tree_per_iteration", "the head")
    objective, link = _objective(given)
    _check_outputs(objective, outputs, count_member(given, "num_class", "the head"))
    if not sizes or len(sizes) % outputs or min(sizes) < 1:
        raise ModelCorrupt(f"{len(sizes)} trees are no rounds of {outputs}")
    forest = build_forest(read_trees(trees + b"\n", sizes), n_features)
    settings, lists = _read_tail(tail)
    averaged = "average_output" in given
    return LightGBMArtifact(
        objective=objective,
        link=link,
        boosting="rf" if averaged else settings.get("boosting", "gbdt"),
        feature_names=_names(given, n_features),
        feature_infos=_infos(given, n_features),
        category_lists=lists,
        largest_codes=forest.largest_codes(),
        missing_kinds=forest.missing_kinds(),
        rounds=len(sizes) // outputs,
        averaged=averaged,
        ensemble=forest.ensemble(n_features, outputs, averaged=averaged),
    )


def _check_head(given: dict[str, bytes]) -> int:
    """Let known names and versions through; return the number of features."""
    for name in given:
        if name not in HEAD:  # it may change what the model predicts
            raise ModelUnsupported(f"unknown field {name}")
    version = member(given, "version", "the head")
    if version not in VERSIONS:
        raise ModelUnsupported(f"file version {shown(version)}")
    if not re.fullmatch(rb"-?[0-9]{1,9}", member(given, "label_index", "the head")):
        raise ModelCorrupt("the head: label_index is not an integer")
    if given.get("average_output"):
        raise ModelCorrupt("the head: average_output has a value")
    n_features = count_member(given, "max_feature_idx", "the head") + 1
    if "monotone_constraints" in given:
        integers(given, "monotone_constraints", "the head", n_features)
    return n_features


def _sized(entries: list[str], n_features: int, name: str) -> None:
    if len(entries) != n_features:
        raise ModelCorrupt(f"{name} has {len(entries)} entries for {n_features} features")


def _objective(given: dict[str, bytes]) -> tuple[str, str]:
    """Return the objective as written, and its link."""
    if "objective" not in given:
        return CUSTOM, "identity"
    written = given["objective"].decode("utf-8", "replace")
    for pattern, link in OBJECTIVES.items():
        if re.fullmatch(pattern, written):
            return written, link
    raise ModelUnsupported(f"objective {written[:40]}")


def _check_outputs(objective: str, outputs: int, classes: int) -> None:
    """The library writes one number per class and per tree of a round: they must be the same."""
    if outputs < 1 or outputs != classes:
        raise ModelCorrupt(f"num_class is {classes}, num_tree_per_iteration {outputs}")
    stated = re.search(r"num_class:([0-9]+)", objective)
    expected = int(stated[1]) if stated else None if objective == CUSTOM else 1
    if expected is not None and expected != outputs:
        raise ModelCorrupt(f"objective {objective} and {outputs} trees per round")
    slope = re.search(r"sigmoid:(\S+)", objective)
    if slope and not 0.0 < float(slope[1]) < math.inf:
        raise ModelCorrupt(f"objective {objective} has no slope")


def _text(given: dict[str, bytes], name: str) -> str:
    try:
        return member(given, name, "the head").decode("utf-8")
    except UnicodeDecodeError:
        raise ModelCorrupt(f"{name} is not UTF-8") from None


def _names(given: dict[str, bytes], n_features: int) -> tuple[str, ...]:
    """Return the feature names; () where the library made them up (Column_0, Column_1, ...)."""
    names = _text(given, "feature_names").split(" ")
    _sized(names, n_features, "feature_names")
    if "" in names or len(set(names)) != len(names):
        raise ModelCorrupt("feature_names has an empty name or one twice")
    invented = all(name == f"Column_{number}" for number, name in enumerate(names))
    return () if invented else tuple(names)


def _infos(given: dict[str, bytes], n_features: int) -> tuple[FeatureInfo, ...]:
    entries = _text(given, "feature_infos").split(" ")
    _sized(entries, n_features, "feature_infos")
    return tuple(_info(entry) for entry in entries)


def _info(entry: str) -> FeatureInfo:
    """Read `none`, `[lowest:highest]`, or codes between colons, -1 standing for missing."""
    found = _INFO.fullmatch(entry)
    if not found:
        raise ModelCorrupt(f"feature_infos has {entry[:40]!r}")
    if found["codes"]:
        return FeatureInfo(codes=tuple(sorted(map(int, found["codes"].split(":")))))
    if found["low"] is None:
        return FeatureInfo()
    try:
        return FeatureInfo(low=float(found["low"]), high=float(found["high"]))
    except ValueError:
        raise ModelCorrupt(f"feature_infos has {entry[:40]!r}") from None


def _read_tail(tail: bytes) -> tuple[dict[str, str], tuple[tuple[str, ...], ...] | None]:
    """Return the training parameters, which only name things here, and the category lists."""
    try:
        lines = tail.decode("utf-8").split("\n")
    except UnicodeDecodeError:
        raise ModelCorrupt("what follows the trees is not UTF-8") from None
    settings = {found[1]: found[2] for line in lines if (found := _SETTING.fullmatch(line))}
    lists = [line.removeprefix(_CATEGORIES) for line in lines if line.startswith(_CATEGORIES)]
    if len(lists) > 1:
        raise ModelCorrupt("pandas_categorical is there twice")
    return settings, _category_lists(lists[0]) if lists else None


def _category_lists(written: str) -> tuple[tuple[str, ...], ...] | None:
    """Read pandas' category lists, in code order, each category in its Python spelling."""
    try:
        lists = json.loads(written)
    except RecursionError:
        raise ModelCorrupt("pandas_categorical is nested too deeply") from None
    except ValueError:  # broken JSON, integers of thousands of digits
        raise ModelCorrupt("pandas_categorical is not valid JSON") from None
    if not lists:
        return None
    if not isinstance(lists, list) or not all(isinstance(one, list) for one in lists):
        raise ModelCorrupt("pandas_categorical is not a list of lists")
    if any(not isinstance(category, str | int | float) for one in lists for category in one):
        raise ModelCorrupt("pandas_categorical holds something other than text, numbers and booleans")
    return tuple(tuple(str(category) for category in one) for one in lists)
