"""The category lists that XGBoost files since 3.1 carry."""

from __future__ import annotations

import itertools

from explain.errors import ModelCorrupt
from explain.models.document import integers, list_member, object_member


def read_categories(model: dict[str, object], n_features: int) -> tuple[tuple[str, ...] | None, ...]:
    """Return each feature's own category list in code order, None where the file carries none.

    Lists of text are stored as bytes with offsets, lists of numbers as numbers; the latter are returned in
    their decimal spelling, since a manifest names categories by text.
    """
    nothing: tuple[tuple[str, ...] | None, ...] = (None,) * n_features
    if "cats" not in model:
        return nothing
    cats = object_member(model, "cats", "gradient_booster.model")
    encodings = list_member(cats, "enc", "cats")
    if not encodings:
        return nothing
    if len(encodings) != n_features:
        raise ModelCorrupt(f"cats has {len(encodings)} lists for {n_features} features")
    lists = tuple(_category_list(encoding, feature) for feature, encoding in enumerate(encodings))
    _check_index(cats, [len(categories or ()) for categories in lists])
    return lists


def _check_index(cats: dict[str, object], sizes: list[int]) -> None:
    """The library's own index over the lists: where each begins, and each one's codes in sorted order."""
    segments = integers(cats, "feature_segments", "cats").tolist()
    if segments != list(itertools.accumulate(sizes, initial=0)):
        raise ModelCorrupt("cats has feature_segments that do not fit its lists")
    order = integers(cats, "sorted_idx", "cats").tolist()
    for start, stop in itertools.pairwise(segments):
        if sorted(order[start:stop]) != list(range(stop - start)):
            raise ModelCorrupt("cats has a sorted_idx that does not fit its lists")


def _category_list(encoding: object, feature: int) -> tuple[str, ...] | None:
    where = f"cats of feature {feature}"
    if not isinstance(encoding, dict):
        raise ModelCorrupt(f"{where} is not an object")
    values = list_member(encoding, "values", where)
    if "offsets" not in encoding:
        return tuple(str(value) for value in values) or None
    offsets = integers(encoding, "offsets", where).tolist()
    if not offsets:
        return None
    codes = integers(encoding, "values", where)
    if offsets[0] != 0 or offsets[-1] != len(codes) or any(b < a for a, b in itertools.pairwise(offsets)):
        raise ModelCorrupt(f"{where} has offsets that do not fit its text")
    raw = (codes & 0xFF).astype("uint8").tobytes()  # the library writes signed bytes
    try:
        return tuple(raw[a:b].decode("utf-8") for a, b in itertools.pairwise(offsets))
    except UnicodeDecodeError:
        raise ModelCorrupt(f"{where} is not UTF-8") from None
