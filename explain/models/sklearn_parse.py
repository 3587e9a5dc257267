"""What a scikit-learn model file says, read by ourselves before skops and scikit-learn see it.

The file is skops' (no pickle): a zip of one JSON schema and arrays. skops builds objects by the names in the
schema and does not look at what they hold; scikit-learn then follows node numbers without looking. So every
node is read here first, only what is known is kept, and what is kept is written anew for the library.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from explain.errors import ModelCorrupt, ModelUnsupported
from explain.models.sklearn_archive import Archive
from explain.models.sklearn_estimator import SklearnArtifact
from explain.models.sklearn_nodes import Schema
from explain.models.sklearn_parse_boosting import parse_boosting
from explain.models.sklearn_parse_forest import MEMBERS, parse_forest, parse_tree
from explain.models.sklearn_parse_histogram import MODULE, parse_histogram

OLDEST = (1, 7)  # earlier files hold other attributes
_VERSION = re.compile(r"([0-9]{1,3})\.([0-9]{1,3})(?:\.[0-9a-z.]{1,20}|rc[0-9]{1,2})?")

Reader = Callable[[Schema, str], SklearnArtifact]
READERS: dict[tuple[str, str], Reader] = {
    **{("sklearn.ensemble._forest", name): parse_forest for name in MEMBERS},
    **{("sklearn.tree._classes", name): parse_tree for name in MEMBERS.values()},
    **{
        ("sklearn.ensemble._gb", f"GradientBoosting{task}"): parse_boosting
        for task in ("Classifier", "Regressor")
    },
    **{
        (f"{MODULE}.gradient_boosting", f"HistGradientBoosting{task}"): parse_histogram
        for task in ("Classifier", "Regressor")
    },
}


def parse_sklearn(artifact: bytes, installed: str) -> SklearnArtifact:
    """Read and check a model file for the library of version `installed`.

    Raises ModelCorrupt for a damaged file and ModelUnsupported for an estimator, an attribute or a version
    that is not known to be explained exactly.
    """
    schema = Schema(Archive(artifact), installed)
    if schema.loader(schema.root) != "ObjectNode":
        raise ModelUnsupported(f"a file of a {schema.loader(schema.root)[:40]}, not of an estimator")
    module, name = schema.class_of(schema.root)
    if (module, name) not in READERS:
        known = name if module.partition(".")[0] == "sklearn" else f"{module}.{name}"
        raise ModelUnsupported(f"estimator {known[:80]}")
    return READERS[module, name](schema, _version(schema, installed))


def _version(schema: Schema, installed: str) -> str:
    """Return the version that wrote the file: not one before 1.7, nor one after the installed library."""
    attributes = schema.attributes(schema.root)
    if "n_features_in_" not in attributes:
        raise ModelUnsupported("a model that was never fitted")
    node = attributes.get("_sklearn_version")
    if node is None:
        raise ModelUnsupported("a file of an unknown version of scikit-learn")
    written = str(schema.scalar(node, "_sklearn_version"))
    if _numbers(written) < OLDEST:
        raise ModelUnsupported(f"a file of scikit-learn {written[:20]}, older than 1.7")
    if _numbers(written) > _numbers(installed):
        raise ModelUnsupported(f"a file of scikit-learn {written[:20]}, newer than the installed {installed}")
    return written


def _numbers(version: str) -> tuple[int, int]:
    found = _VERSION.fullmatch(version)
    if found is None:
        raise ModelCorrupt(f"{version[:20]!r} is no version of scikit-learn")
    return int(found[1]), int(found[2])
