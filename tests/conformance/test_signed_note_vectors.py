"""Signed notes and checkpoints against the examples that C2SP and Go's note package print."""

from __future__ import annotations

import pytest

from audit.errors import MalformedNote
from audit.note import Signer, Verifier, parse_note, sign_note, verify_note

# C2SP signed-note, "Example".
C2SP_VKEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
C2SP_NOTE = (
    "This is an example message.\n"
    "\n"
    "— example.com/foo "
    "Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n"
)
# golang.org/x/mod/sumdb/note, the example keys of its documentation.
GO_PRIVATE = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
GO_VKEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_TEXT = (
    "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
)
GO_NOTE = (
    GO_TEXT + "\n"
    "— PeterNeumann "
    "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)


def test_the_example_of_the_specification_verifies():
    verifier = Verifier.parse(C2SP_VKEY)
    assert verifier.vkey == C2SP_VKEY
    assert verify_note(parse_note(C2SP_NOTE), [verifier]) == (verifier,)


def test_the_keys_of_the_go_package_sign_the_same_bytes():
    signer = Signer.parse(GO_PRIVATE)
    assert signer.private_text() == GO_PRIVATE
    assert signer.verifier.vkey == GO_VKEY
    assert sign_note(GO_TEXT, [signer]) == GO_NOTE


@pytest.mark.parametrize("position", range(0, 27, 5))
def test_a_changed_example_does_not_verify(position):
    changed = C2SP_NOTE[:position] + "#" + C2SP_NOTE[position + 1 :]
    with pytest.raises(MalformedNote, match="signature"):
        verify_note(parse_note(changed), [Verifier.parse(C2SP_VKEY)])
