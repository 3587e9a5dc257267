"""Injured XGBoost documents; run as a program, it loads them natively and predicts, apart from the tests."""

from __future__ import annotations

import copy
import json
import random
import sys

import numpy as np

from explain.errors import ExplainError
from explain.features import FeatureSpace
from explain.models import load_model
from tests.oracles.boosters import draw_rows, train

NUMBERS = ("q",) * 3
KINDS: tuple[dict, ...] = (
    {"booster": "dart", "rate_drop": 0.5},
    {"objective": "reg:squarederror", "outputs": 3, "multi_strategy": "multi_output_tree"},
    {"booster": "gblinear", "objective": "multi:softprob", "outputs": 3},
    {"objective": "multi:softmax", "outputs": 3},
    {"objective": "reg:quantileerror", "quantile_alpha": [0.2, 0.8], "outputs": 2},
    {"objective": "survival:aft"},
    {"types": ("q", "c", "q"), "max_cat_to_onehot": 1},
)
VALUES = (0, 1, 2, 3, -1, 2**31 - 1, 2**31, -(2**31), 10**9, 0.5, 1e39, -1e300, float("nan"), "0", "1", "3")
VALUES += ("1000000000", "", None, True, (), "[1E0,2E0]", "-1")  # type: ignore[assignment]


def sound() -> list[tuple[dict, FeatureSpace]]:
    trained = [train(kind.pop("types", NUMBERS), rounds=2, max_depth=2, **kind) for kind in map(dict, KINDS)]
    return [(one.document(), one.space) for one in trained]


def places(value: object, path: tuple = ()) -> list[tuple]:
    """List the paths of all members and items."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [step for name, one in inside for step in [(*path, name), *places(one, (*path, name))]]


def injured(document: dict, generator: random.Random) -> bytes:
    """Change up to three places: another value, a member less, a list longer or shorter, a number beside."""
    document = copy.deepcopy(document)
    for _ in range(generator.choice((1, 1, 2, 3))):
        found = places(document)
        if not found:  # an injury before took everything away
            break
        *above, name = generator.choice(found)
        parent = document
        for step in above:
            parent = parent[step]
        kind, value = generator.random(), parent[name]
        if kind < 0.15:
            parent.pop(name)
        elif kind < 0.3 and isinstance(value, list):
            parent[name] = value[: generator.randrange(len(value) + 1)] + value[:3] * generator.randrange(2)
        elif kind < 0.5 and isinstance(value, int | float):
            parent[name] = value + generator.choice((-1, 1))
        else:
            parent[name] = generator.choice(VALUES)
    return json.dumps(document).encode()


def main() -> None:
    """Load and predict each injured document of these seeds; what is refused must be refused by name."""
    documents = sound()
    rows = np.concatenate([draw_rows(1, 10, NUMBERS, 0.2), [[np.nan] * 3, [3e38] * 3, [-3e38] * 3]])
    for seed in range(int(sys.argv[1]), int(sys.argv[2])):
        document, space = documents[seed % len(documents)]
        try:
            model = load_model("xgboost", injured(document, random.Random(seed)), space)  # noqa: S311
            model.predict(rows)
        except ExplainError:
            continue


if __name__ == "__main__":
    main()
