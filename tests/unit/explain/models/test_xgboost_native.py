"""The native library's own words about a file, without where its authors built it."""

from __future__ import annotations

import json

import pytest

from explain.errors import ModelCorrupt
from explain.models import load_model
from tests.oracles.boosters import train


def test_a_refusal_says_why_and_not_where_in_the_librarys_source() -> None:
    trained = train(("q", "q"), rounds=2, max_depth=2)
    document = trained.document()
    document["version"] = "x"
    with pytest.raises(ModelCorrupt, match=r"native library refused it: [^/]+$"):
        load_model("xgboost", json.dumps(document).encode(), trained.space)
