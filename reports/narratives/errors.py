"""What can go wrong with a narrative.

NarrativeError
 ├─ NarrativeLanguageUnknown   the narrative or the reasons are not worded in this language
 ├─ NarrativeWordsMalformed    a wording file is not what narratives need
 └─ NarratorFailed             a narrator gave nothing that may be shown
     └─ SentenceRefused        a sentence says what the record does not

The last two never leave: the template takes the narrator's place, and their `reason` is said beside it.
"""

from __future__ import annotations


class NarrativeError(Exception):
    """The narrative could not be written."""


class NarrativeLanguageUnknown(NarrativeError):
    """There are no words for this narrative in this language."""

    def __init__(self, language: str) -> None:
        super().__init__(f"there are no words for this narrative in {language!r}")


class NarrativeWordsMalformed(NarrativeError):
    """A wording file is not what narratives need."""

    def __init__(self, file: str, detail: str) -> None:
        super().__init__(f"{file}: {detail}")


class NarratorFailed(NarrativeError):
    """A narrator gave nothing that may be shown; `reason` is a word of ours, never text of its answer."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class SentenceRefused(NarratorFailed):
    """A sentence says what the record does not."""
