"""The catalogue's JSON Schema: `python -m schemas.catalogue_schema > docs/catalogue.schema.json`."""

from __future__ import annotations

import json
import sys

from schemas.catalogue import CatalogueDocument


def catalogue_schema() -> str:
    """Return the JSON Schema of catalogue version 1 as text."""
    body = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **CatalogueDocument.model_json_schema(mode="validation"),
        "title": "Ofrecord reason catalogue, version 1",
    }
    return json.dumps(body, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(catalogue_schema())
