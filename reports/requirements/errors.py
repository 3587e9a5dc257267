"""What can go wrong with the rules as data.

RequirementError
 ├─ RequirementsMalformed   a file of the data is not what its format asks
 ├─ RequirementUnknown      there is no rule with this id
 └─ LanguageUncited         a rule cannot be cited in this language
"""

from __future__ import annotations


class RequirementError(Exception):
    """A rule could not be read or cited."""


class RequirementsMalformed(RequirementError):
    """A file of the data is not what its format asks."""

    def __init__(self, file: str, detail: str) -> None:
        super().__init__(f"{file}: {detail}")


class RequirementUnknown(RequirementError):
    """There is no rule with this id."""

    def __init__(self, requirement_id: str) -> None:
        super().__init__(f"there is no rule with the id {requirement_id!r}")


class LanguageUncited(RequirementError):
    """A rule cannot be cited in this language."""

    def __init__(self, language: str) -> None:
        super().__init__(f"rules cannot be cited in {language!r}")
