"""Wordings: which one is taken, what stands in its slots, and how numbers are written."""

from __future__ import annotations

import time
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from explain.catalogue import (
    ComponentWords,
    Condition,
    FactorWords,
    FeatureWords,
    Language,
    ReasonCatalogue,
    Test,
    Wording,
)
from explain.errors import ReasonUnmapped
from explain.features import Value
from explain.wording import (
    component_text,
    format_number,
    format_value,
    holds,
    names_missing,
    text_of,
    word,
)
from tests.oracles.wordings import ENGLISH, catalogue_of

GERMAN = Language("de", ",", ".")
SWISS = Language("de-CH", ".", "’")
PLAIN = Language("es", ",", "")
INCOME = FeatureWords("income", {"en": "Income"}, {"en": "USD", "de": " €"}, 0)


def taken(factor: FactorWords, values: dict[str, Value], means: dict[str, float | None] | None = None) -> str:
    words = catalogue_of({}, features=[INCOME])
    return word(factor, values, means or {}, words, "en").code


@pytest.mark.parametrize(
    ("test", "value", "mean", "expected"),
    [
        ("missing", None, None, True),
        ("missing", 0.0, None, False),
        ("missing", False, None, False),
        ("present", None, None, False),
        ("present", 0, None, True),
        ("present", "", None, True),
        ("above_reference", 2.0, 1.0, True),
        ("above_reference", 1.0, 1.0, False),
        ("above_reference", 0.5, 1.0, False),
        ("above_reference", 2.0, None, False),
        ("above_reference", None, 1.0, False),
        ("above_reference", True, 0.5, False),
        ("above_reference", "2", 1.0, False),
        ("below_reference", 0.5, 1.0, True),
        ("below_reference", 1.0, 1.0, False),
        ("below_reference", -2.0, None, False),
        ("below_reference", None, 1.0, False),
        ("at_least", 3, None, True),
        ("at_least", 2.999, None, False),
        ("at_least", None, None, False),
        ("below", 2.999, None, True),
        ("below", 3.0, None, False),
        ("below", None, None, False),
        ("one_of", "rent", None, True),
        ("one_of", "own", None, False),
        ("one_of", None, None, False),
        ("one_of", True, None, True),
        ("one_of", 1, None, False),
        ("one_of", 5.0, None, True),
    ],
)
def test_conditions(test: Test, value: Value, mean: float | None, expected: bool) -> None:
    condition = Condition("x", test, limit=3.0, values=("rent", True, 5))
    assert holds(condition, {"x": value}, {"x": mean}) is expected
    assert not holds(condition, {"y": value}, {"x": mean})  # of another factor: nothing is known


def test_the_first_wording_whose_conditions_all_hold_is_taken() -> None:
    factor = FactorWords(
        "inquiries",
        {},
        (
            Wording("M", {"en": "none known"}, (Condition("n", "missing"),)),
            Wording("H", {"en": "many"}, (Condition("n", "at_least", 6), Condition("n", "above_reference"))),
            Wording("A", {"en": "above"}, (Condition("n", "above_reference"),)),
            Wording("G", {"en": "general"}),
        ),
    )
    assert taken(factor, {"n": None}, {"n": 2.5}) == "M"
    assert taken(factor, {"n": 7}, {"n": 2.5}) == "H"
    assert taken(factor, {"n": 7}, {"n": 7.5}) == "G"
    assert taken(factor, {"n": 3}, {"n": 2.5}) == "A"
    assert taken(factor, {"n": 2}, {"n": 2.5}) == "G"
    assert [names_missing(wording) for wording in factor.wordings] == [True, False, False, False]


def test_conditions_name_the_member_of_the_factor() -> None:
    factor = FactorWords(
        "capacity",
        {},
        (
            Wording("D", {"en": "debt"}, (Condition("debt", "above_reference"),)),
            Wording("I", {"en": "income"}, (Condition("income", "below_reference"),)),
        ),
    )
    means: dict[str, float | None] = {"debt": 10.0, "income": 10.0}
    assert taken(factor, {"debt": 11.0, "income": 9.0}, means) == "D"
    assert taken(factor, {"debt": 9.0, "income": 9.0}, means) == "I"
    with pytest.raises(ReasonUnmapped, match="capacity"):
        taken(factor, {"debt": 9.0, "income": 11.0}, means)


def test_a_slot_without_a_value_makes_the_wording_not_applicable_in_every_language() -> None:
    valued = Wording("V", {"en": "Too low", "de": "Zu niedrig: {income}"})
    compared = Wording("C", {"en": "{income} is below {income.reference}", "de": "Zu niedrig"})
    general = Wording("G", {"en": "Income", "de": "Einkommen"})
    words = catalogue_of({"f": [valued, general]}, features=[INCOME], languages=[ENGLISH, GERMAN])
    for language in ("en", "de"):
        assert word(words.factors["f"], {"income": None}, {}, words, language).code == "G"
        assert word(words.factors["f"], {"income": 5.0}, {}, words, language).code == "V"
    other = FactorWords("f", {}, (compared, general))
    assert taken(other, {"income": 5.0}, {"income": 7.0}) == "C"
    assert taken(other, {"income": 5.0}, {"income": None}) == "G"
    assert taken(other, {"income": 5.0}) == "G"
    # The mean of one of several features is not on record: no sentence can rest on it.
    assert taken(other, {"income": 5.0, "debt": 1.0}, {"income": 7.0, "debt": 1.0}) == "G"


def test_a_feature_is_named_before_its_reference() -> None:
    factor = FactorWords("f", {}, (Wording("A", {"en": "{x.reference} {x.reference.reference}"}),))
    words = catalogue_of({})
    means: dict[str, float | None] = {"x.reference": 3.5, "x": 9.0}
    assert word(factor, {"x.reference": 4}, means, words, "en").text == "4 3.5"


@pytest.mark.parametrize(
    "sent", ["{income}", "<script>alert(1)</script>", "{0}", "{income.__class__}", "%s", r"\1 \g<0>", "{{}}"]
)
def test_nothing_observed_is_read_as_a_slot_or_as_markup(sent: str) -> None:
    factor = FactorWords("f", {}, (Wording("A", {"en": "Purpose {purpose}, income {income}."}),))
    words = catalogue_of({}, features=[INCOME])
    text = word(factor, {"purpose": sent, "income": 1200.0}, {}, words, "en").text
    assert text == f"Purpose {sent}, income 1,200 USD."


def test_what_is_no_slot_is_text() -> None:
    factor = FactorWords("f", {}, (Wording("A", {"en": "a {} b } c { d"}), Wording("B", {"en": "b"})))
    assert word(factor, {"x": 1}, {}, catalogue_of({}), "en").text == "a {} b } c { d"


def two_languages() -> ReasonCatalogue:
    texts = {"en": "{income} is below {income.reference}", "de": "{income} liegt unter {income.reference}"}
    below = Wording("B", texts, (Condition("income", "below_reference"),))
    return catalogue_of({"f": [below]}, features=[INCOME], languages=[ENGLISH, GERMAN])


def test_a_wording_that_was_taken_is_the_same_in_another_language() -> None:
    words = two_languages()
    values: dict[str, Value] = {"income": 12345.5}
    worded = word(words.factors["f"], values, {"income": 20000.0}, words, "en")
    assert (worded.wording, worded.code) == (0, "B")
    assert worded.text == "12,346 USD is below 20,000 USD"
    assert text_of(words, "f", 0, values, {"income": 20000.0}, language="en") == worded.text
    german = text_of(words, "f", 0, values, {"income": 20000.0}, language="de")
    assert german == "12.346 € liegt unter 20.000 €"
    # The conditions were asked once: what is on record is not asked again.
    assert text_of(words, "f", 0, {"income": 3e4}, {"income": 1.0}, language="en").startswith("30,000 USD")


@pytest.mark.parametrize(
    ("factor", "wording", "income"), [("g", 0, 1.0), ("f", 1, 1.0), ("f", -1, 1.0), ("f", 0, None)]
)
def test_what_is_not_in_the_catalogue_has_no_text(factor: str, wording: int, income: Value) -> None:
    with pytest.raises(ReasonUnmapped, match=factor):
        text_of(two_languages(), factor, wording, {"income": income}, {"income": 2.0}, language="en")


def test_components_have_texts_by_language() -> None:
    words = catalogue_of({}, components=[ComponentWords("K1", "knockout", {"en": "Bankruptcy", "de": " "})])
    assert component_text(words, "K1", "en") == "Bankruptcy"
    for code, language in (("K2", "en"), ("K1", "de"), ("K1", "es")):
        with pytest.raises(ReasonUnmapped, match=code):
            component_text(words, code, language)


@given(st.floats(-1e15, 1e15) | st.integers(-(2**53), 2**53), st.integers(0, 9))
def test_rounding_is_half_to_even_from_the_exact_value(value: float, decimals: int) -> None:
    written = format_number(value, decimals, Language("x", ".", ""))
    scaled = Fraction(value) * 10**decimals
    nearest = round(scaled)  # Python's own: half to even, exact
    assert Fraction(written) == Fraction(nearest, 10**decimals)
    assert len(written.partition(".")[2]) == decimals
    assert written.startswith("-") == (nearest < 0)


@pytest.mark.parametrize(
    ("value", "decimals", "expected"),
    [
        (0.5, 0, "0"),
        (1.5, 0, "2"),
        (2.5, 0, "2"),
        (2.675, 2, "2.67"),  # the float lies below 2.675
        (0.125, 2, "0.12"),
        (-0.004, 2, "0.00"),
        (-0.0, None, "0"),
        (1234567.891, 1, "1,234,567.9"),
        (999.999, 2, "1,000.00"),
        (1e22, 2, "10,000,000,000,000,000,000,000.00"),
        (5e-324, 9, "0.000000000"),
        (7, 2, "7.00"),
        (0.1, None, "0.1"),
        (2000.0, None, "2,000"),
        (1e-7, None, "0.0000001"),
        (1.5e16, None, "15,000,000,000,000,000"),
        (-1234.5, None, "-1,234.5"),
    ],
)
def test_numbers(value: float, decimals: int | None, expected: str) -> None:
    assert format_number(value, decimals, ENGLISH) == expected


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_the_shortest_form_reads_back_as_the_same_float(value: float) -> None:
    written = format_number(value, None, Language("x", ".", ""))
    assert float(written) == value
    assert "e" not in written.lower()
    with localcontext(prec=800, rounding=ROUND_HALF_EVEN):
        assert Decimal(format_number(value, 3, Language("x", ".", ""))) == Decimal(value).quantize(
            Decimal("0.001")
        )


def test_marks_are_those_of_the_language() -> None:
    assert format_number(1234567.25, 2, GERMAN) == "1.234.567,25"
    assert format_number(1234567.25, 2, SWISS) == "1’234’567.25"
    assert format_number(1234567.25, 2, PLAIN) == "1234567,25"


def test_values_have_their_unit_or_their_word() -> None:
    share = FeatureWords("share", {}, {"en": "%", "de": " %"}, 1)
    home = FeatureWords(
        "home", {}, {}, None, {"rent": {"en": "renting", "de": "Miete"}, "true": {"en": "yes"}}
    )
    assert format_value(INCOME, 50_000, ENGLISH) == "50,000 USD"
    assert format_value(INCOME, 50_000.0, GERMAN) == "50.000 €"
    assert format_value(INCOME, 50_000.0, PLAIN) == "50000"  # no unit in that language
    assert (format_value(share, 12.34, ENGLISH), format_value(share, 12.34, GERMAN)) == ("12.3%", "12,3 %")
    assert (format_value(home, "rent", ENGLISH), format_value(home, "rent", GERMAN)) == ("renting", "Miete")
    assert (format_value(home, True, ENGLISH), format_value(home, False, ENGLISH)) == ("yes", "false")
    assert format_value(home, "own", GERMAN) == "own"
    assert format_value(None, 1234.5, ENGLISH) == "1,234.5"
    assert format_value(None, "rent", ENGLISH) == "rent"
    with pytest.raises(ValueError, match="missing"):
        format_value(INCOME, None, ENGLISH)


def test_four_reasons_are_worded_within_a_tenth_of_a_millisecond() -> None:
    texts = {"en": "Income {income} is below {income.reference}", "de": "{income} unter {income.reference}"}
    wordings = [Wording(f"M{n}", {"en": "m", "de": "m"}, (Condition("income", "missing"),)) for n in range(8)]
    wordings.append(Wording("B", texts, (Condition("income", "below_reference"),)))
    words = catalogue_of({"f": wordings}, features=[INCOME], languages=[ENGLISH, GERMAN])
    factor, values, means = words.factors["f"], {"income": 41234.56}, {"income": 58231.25}
    best = min(_seconds(factor, values, means, words) for _ in range(200))
    assert best < 1e-4


def _seconds(
    factor: FactorWords, values: dict[str, float], means: dict[str, float], words: ReasonCatalogue
) -> float:
    started = time.perf_counter()
    for _ in range(4):
        word(factor, values, means, words, "en")
    return time.perf_counter() - started
