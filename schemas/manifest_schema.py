"""The manifest's JSON Schema: `python -m schemas.manifest_schema > docs/manifest.schema.json`."""

from __future__ import annotations

import json
import sys

from schemas.manifest import Manifest


def manifest_schema() -> str:
    """Return the JSON Schema of manifest version 1 as text."""
    body = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **Manifest.model_json_schema(mode="validation"),
        "title": "Ofrecord manifest, version 1",
    }
    return json.dumps(body, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(manifest_schema())
