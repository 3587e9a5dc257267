"""The shipped dictionary, compared with the forms as 12 CFR Part 1002, Appendix C, prints them."""

from __future__ import annotations

from registry.catalogues import read_catalogue
from registry.shipped import APPENDIX_C, seeds, shipped

C_1 = """
Credit application incomplete
Insufficient number of credit references provided
Unacceptable type of credit references provided
Unable to verify credit references
Temporary or irregular employment
Unable to verify employment
Length of employment
Income insufficient for amount of credit requested
Excessive obligations in relation to income
Unable to verify income
Length of residence
Temporary residence
Unable to verify residence
No credit file
Limited credit experience
Poor credit performance with us
Delinquent past or present credit obligations with others
Collection action or judgment
Garnishment or attachment
Foreclosure or repossession
Bankruptcy
Number of recent inquiries on credit bureau report
Value or type of collateral not sufficient
"""
C_2 = {
    "Your Income": """
is below our minimum requirement.
is insufficient to sustain payments on the amount of credit requested.
could not be verified.
""",
    "Your Employment": """
is not of sufficient length to qualify.
could not be verified.
""",
    "Your Credit History": """
of making payments on time was not satisfactory.
could not be verified.
""",
    "Your Application": """
lacks a sufficient number of credit references.
lacks acceptable types of credit references.
reveals that current obligations are excessive in relation to income.
""",
}
C_3 = """
Insufficient bank references
Type of occupation
Insufficient credit experience
Number of recent inquiries on credit bureau report
"""


def coded(form: str, texts: list[str]) -> dict[str, str]:
    return {f"{form}.{place:02}": text for place, text in enumerate(texts, 1)}


def test_every_reason_of_the_forms_is_there_in_its_own_words_and_place() -> None:
    second = [
        f"{about.capitalize()} {ending.removesuffix('.')}"
        for about, endings in C_2.items()
        for ending in endings.strip().splitlines()
    ]
    printed = {
        **coded("C-1", C_1.strip().splitlines()),
        **coded("C-2", second),
        **coded("C-3", C_3.strip().splitlines()),
    }
    words = read_catalogue(shipped()[APPENDIX_C])
    wordings = [wording for factor in words.factors.values() for wording in factor.wordings]
    assert {wording.code: wording.texts["en"] for wording in wordings} == printed
    assert list(seeds()) == list(words.factors)
