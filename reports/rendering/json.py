"""A letter for machines: its words and its data in canonical JSON."""

from __future__ import annotations

import json
from dataclasses import asdict

from reports.letters.letter import Letter
from reports.rendering.description import described_sections
from reports.rendering.errors import LetterUnprintable

FORMAT = "ofrecord/letter-v1"


def json_of(letter: Letter) -> bytes:
    """Write the letter as JSON in UTF-8: keys sorted, no spaces, the shortest decimal for each real number.

    Raises LetterUnprintable for half a surrogate pair, ValueError for a number that JSON has no sign for.
    """
    document = {
        "letter": FORMAT,
        "template": letter.template,
        "language": letter.language,
        "title": letter.title,
        "sender": letter.sender,
        "recipient": letter.recipient,
        "dated": letter.dated,
        "moment": letter.moment,
        "sections": described_sections(letter),
        "citations_heading": letter.citations_heading,
        "citations": [asdict(rule) for rule in letter.citations],
        "data": letter.data,
    }
    text = json.dumps(document, ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":"))
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError as error:
        found = text[error.start : error.end]
    raise LetterUnprintable(found)
