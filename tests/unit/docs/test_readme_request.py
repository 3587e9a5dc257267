"""What the README says may be sent beside the features is a request."""

from __future__ import annotations

import json
import re
from pathlib import Path

from schemas.explanation import ExplanationRequest

README = (Path(__file__).resolve().parents[3] / "README.md").read_text(encoding="utf-8")


def test_the_letters_members_belong_to_the_request() -> None:
    (request,) = re.findall(r"<<'REQUEST'\n(.*?)\nREQUEST", README, re.DOTALL)
    (beside,) = re.findall(r'^```\n("application".*?)^```', README, re.MULTILINE | re.DOTALL)
    asked = ExplanationRequest.model_validate_json(
        json.dumps({**json.loads(request), **json.loads("{" + beside + "}")})
    )
    assert asked.application is not None
    assert [one.kind for one in asked.components] == ["model", "knockout"]
