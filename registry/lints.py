"""Reason texts that say nothing: Regulation B calls them insufficient (12 CFR 1002.9(b)(2))."""

from __future__ import annotations

import re
from collections.abc import Iterator

from schemas.manifest import Manifest
from schemas.problem import PointedError, pointer

# A statement that the action rests on the creditor's internal standards or policies, or that the applicant
# failed to achieve a qualifying score, is insufficient: it hides the reason instead of giving it.
_INSUFFICIENT = (
    (r"\binternal\s+(standards?|criteria|guidelines?|rules?|polic(y|ies))\b", "internal standards"),
    (r"\bpolic(y|ies)\b", "a policy"),
    (
        r"\b(our|lender'?s?|creditor'?s?|bank'?s?|company)\s+(\w+\s+)?(standards?|criteria|guidelines?|requirements?)\b",
        "the creditor's own standards",
    ),
    (
        r"\b(qualifying|passing|cut-?off|threshold|minimum|required)\s+(credit\s+)?scores?\b",
        "a qualifying score",
    ),
    (r"\b(fail(ed|ure|s)?|unable|not)\b.{0,40}\bscor(e|es|ing)\b", "a failed score"),
    (r"\bscore\s+(was\s+|is\s+)?(too\s+low|insufficient|below)\b", "a low score"),
    (r"\b(credit\s+)?scoring\s+(system|model)\b", "a scoring system"),
    (
        r"\b(algorithm|computer|automated\s+(system|decision)|model('s)?\s+(output|decision))\b",
        "the machinery",
    ),
)
_PATTERNS = tuple((re.compile(pattern, re.IGNORECASE), what) for pattern, what in _INSUFFICIENT)


def lint_reasons(manifest: Manifest) -> Iterator[PointedError]:
    """Find reason texts that are insufficient as a statement of specific reasons."""
    for index, factor in enumerate(manifest.factors):
        if factor.reason is None:
            continue
        at = pointer(("factors", index, "reason", "text"))
        text = " ".join(factor.reason.text.split())
        if not any(sign.isalpha() for sign in text):
            yield PointedError(pointer=at, detail="must be a reason in words")
        for pattern, what in _PATTERNS:
            if pattern.search(text):
                yield PointedError(pointer=at, detail=f"speaks of {what} instead of a specific reason")
                break
