"""The JSON rendering: the letter's words and data, in one spelling."""

from __future__ import annotations

import json

import pytest

from reports.rendering.environment import JSON
from reports.rendering.errors import LetterUnprintable
from reports.rendering.pages import render
from reports.rendering.texts import texts_of


def test_it_holds_every_word_and_the_data(write) -> None:
    letter = write()
    content = render(letter, JSON).content
    document = json.loads(content)
    assert document["letter"] == "ofrecord/letter-v1"
    assert document["data"] == letter.data
    assert [section["heading"] for section in document["sections"]] == [
        section.heading for section in letter.sections
    ]
    assert [block["kind"] for section in document["sections"] for block in section["blocks"]] == [
        "paragraph",
        "paragraph",
        "listing",
        "facts",
        "paragraph",
        "listing",
    ]
    assert document["citations"] == [
        {
            "requirement_id": "example-withdrawn",
            "citation": "Circular 1",
            "status": "withdrawn",
            "printed": "Circular 1, withdrawn",
        }
    ]
    text = content.decode()
    for words in texts_of(letter):
        assert json.dumps(words, ensure_ascii=False) in text


def test_it_is_spelled_one_way(write) -> None:
    one = render(write(data={"a": 1, "b": [0.1, None, True], "ä": "ß"}), JSON).content
    other = render(write(data={"ä": "ß", "b": [0.1, None, True], "a": 1}), JSON).content
    assert one == other
    assert b'"data":{"a":1,"b":[0.1,null,true],"\xc3\xa4":"\xc3\x9f"}' in one
    assert b"\n" not in one


def test_data_that_is_no_json_is_refused(write) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        render(write(data={"share": float("nan")}), JSON)
    with pytest.raises(LetterUnprintable, match=r"U\+DC00"):
        render(write(data={"name": "\udc00"}), JSON)
