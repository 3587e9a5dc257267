"""The features of a CatBoost file, and the numbered splits that its trees refer to.

The file numbers splits over all borders of all numeric features in turn, then over the listed categories of
all categorical ones. A tree names a split by that number; the border beside it is a copy, which must agree.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from explain.errors import ModelCorrupt, ModelUnsupported
from explain.models.catboost_members import known_members, listed, numbers, text, whole

INFO_MEMBERS = frozenset({"cat_features_hash", "categorical_features", "ctrs", "float_features"})
SHARED_MEMBERS = frozenset({"feature_id", "feature_index", "feature_name", "flat_feature_index"})
NUMERIC_MEMBERS = SHARED_MEMBERS | {"borders", "has_nans", "nan_value_treatment"}
CATEGORICAL_MEMBERS = SHARED_MEMBERS | {"string_values", "values"}
SPLIT_INDEX = {"FloatFeature": "float_feature_index", "OneHotFeature": "cat_feature_index"}
SPLIT_VALUE = {"FloatFeature": "border", "OneHotFeature": "value"}
TREATMENTS = frozenset({"AsFalse", "AsIs", "AsTrue"})


@dataclass(frozen=True, slots=True)
class Split:
    """One question: is the feature above `border`, or is it the category numbered `category`?

    `kind` and `index` are the file's own name for it; `feature` is the position in model order. A missing
    value answers yes where `missing_is_above`.
    """

    kind: str
    index: int
    feature: int
    border: float
    category: int | None
    missing_is_above: bool


@dataclass(frozen=True, slots=True)
class Features:
    """What a file says of its features: names by position ("" where it has none), and all splits in turn.

    `spelled` gives the text of categories by number, where the file was saved with its training data.
    """

    names: tuple[str, ...]
    categorical: frozenset[int]
    splits: tuple[Split, ...]
    spelled: dict[int, str]

    def read_split(self, given: object, where: str) -> int:
        """Return the number of the split that a tree asks, after comparing it with the features' own list."""
        if not isinstance(given, dict):
            raise ModelCorrupt(f"{where}: a split is not an object")
        kind = given.get("split_type")
        if not isinstance(kind, str) or kind not in SPLIT_INDEX:
            raise ModelUnsupported(f"split_type {str(kind)[:40]}")
        index, value = SPLIT_INDEX[kind], SPLIT_VALUE[kind]
        members = known_members(given, frozenset({"split_index", "split_type", index, value}), where)
        number = whole(members, "split_index", where)
        if number >= len(self.splits):
            raise ModelCorrupt(f"{where} asks split {number} of {len(self.splits)}")
        split = self.splits[number]
        if (split.kind, split.index) != (kind, whole(members, index, where)):
            raise ModelCorrupt(f"{where}: split {number} is about another feature")
        stated = numbers([members.get(value)], f"{where}: a split")
        if split.category is None:
            with np.errstate(over="ignore"):
                stated = stated.astype(np.float32)
        if stated[0] != (split.border if split.category is None else split.category):
            raise ModelCorrupt(f"{where}: split {number} has another value in the list of features")
        return number


def read_features(given: object) -> Features:
    """Read `features_info`; a kind of feature other than numbers and listed categories is refused by name."""
    info = known_members(given, INFO_MEMBERS, "features_info")
    if listed(info, "ctrs", "features_info"):
        raise ModelUnsupported(
            "ctrs (categories encoded by target statistics; "
            "one_hot_max_size keeps categories with fewer values apart)"
        )
    splits: list[Split] = []
    names: dict[int, str] = {}
    for index, feature in enumerate(listed(info, "float_features", "features_info")):
        splits += _numeric(feature, index, names)
    numeric = len(names)
    for index, feature in enumerate(listed(info, "categorical_features", "features_info")):
        splits += _categorical(feature, index, names)
    if sorted(names) != list(range(len(names))):
        raise ModelUnsupported("features that are neither numbers nor categories")
    return Features(
        names=tuple(names[position] for position in range(len(names))),
        categorical=frozenset(list(names)[numeric:]),
        splits=tuple(splits),
        spelled=_spelled(info),
    )


def _position(members: dict[str, object], index: int, names: dict[int, str], where: str) -> int:
    """Note the name of the feature at its position in model order, and return that position."""
    position = whole(members, "flat_feature_index", where)
    if whole(members, "feature_index", where) != index:
        raise ModelCorrupt(f"{where} has a feature_index out of turn")
    if position in names:
        raise ModelCorrupt(f"{where} has the position of another feature")
    names[position] = text(members, "feature_name", where) or text(members, "feature_id", where)
    return position


def _numeric(given: object, index: int, names: dict[int, str]) -> list[Split]:
    """Return one split per border; borders must ascend, since the library counts those below a value."""
    where = f"float feature {index}"
    members = known_members(given, NUMERIC_MEMBERS, where)
    position = _position(members, index, names, where)
    treatment, has_nans = members.get("nan_value_treatment"), members.get("has_nans")
    if not isinstance(treatment, str) or treatment not in TREATMENTS or not isinstance(has_nans, bool):
        raise ModelCorrupt(f"{where} does not say how missing values are treated")
    with np.errstate(over="ignore"):
        borders = numbers(members.get("borders"), f"{where}.borders").astype(np.float32)
    if not np.all(np.isfinite(borders)) or np.any(np.diff(borders) <= 0):
        raise ModelCorrupt(f"{where} has borders that do not ascend")
    # `NaN > border` is false, unless the library puts infinity in the place of NaN.
    above = has_nans and treatment == "AsTrue"
    return [Split("FloatFeature", index, position, border, None, above) for border in borders.tolist()]


def _categorical(given: object, index: int, names: dict[int, str]) -> list[Split]:
    """Return one split per listed category."""
    where = f"categorical feature {index}"
    members = known_members(given, CATEGORICAL_MEMBERS, where)
    position = _position(members, index, names, where)
    values = listed(members, "values", where)
    if not all(isinstance(spelling, str) for spelling in listed(members, "string_values", where)):
        raise ModelCorrupt(f"{where}.string_values holds something other than text")
    splits = [
        Split("OneHotFeature", index, position, float("nan"), value, missing_is_above=False)
        for value in values
        if type(value) is int and -(2**31) <= value < 2**31
    ]
    if len(splits) != len(values) or len({split.category for split in splits}) != len(values):
        raise ModelCorrupt(f"{where} has values that are not distinct whole numbers of 32 bits")
    return splits


def _spelled(info: dict[str, object]) -> dict[int, str]:
    """Return the categories' texts by number, as far as the file tells them; they only serve messages."""
    spelled = {}
    for entry in listed(info, "cat_features_hash", "features_info"):
        members = known_members(entry, frozenset({"hash", "value"}), "cat_features_hash")
        number = members.get("hash")
        if type(number) is not int or not 0 <= number < 2**32:
            raise ModelCorrupt("cat_features_hash has a hash that is no whole number of 32 bits")
        spelled[number - 2**32 if number >= 2**31 else number] = text(members, "value", "cat_features_hash")
    return spelled
