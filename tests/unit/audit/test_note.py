"""Signed notes: what is refused, what is ignored, and which key speaks for a log."""

from __future__ import annotations

import base64

import pytest

from audit.checkpoint import Checkpoint, check_origin, read_checkpoint, sign_checkpoint, verify_checkpoint
from audit.errors import MalformedNote
from audit.note import NOTE_LIMIT_BYTES, Signer, Verifier, parse_note, sign_note, signature_line, verify_note

ORIGIN = "log.example/ofrecord"
SIGNER = Signer(ORIGIN, bytes(32))
OTHER = Signer("witness.example", bytes(range(32)))
ROOT = bytes(range(32))
CHECKPOINT = Checkpoint(ORIGIN, 7, ROOT)
TEXT = f"{ORIGIN}\n7\n{base64.b64encode(ROOT).decode()}\n"


def test_a_checkpoint_is_three_lines_and_a_signature():
    note = sign_checkpoint(CHECKPOINT, [SIGNER])
    text, line = note.split("\n\n")
    assert text + "\n" == TEXT
    assert line.startswith(f"— {ORIGIN} ")
    assert verify_checkpoint(note, [SIGNER.verifier]) == (CHECKPOINT, (SIGNER.verifier,))


def test_a_generated_key_reads_back():
    made = Signer.generate(ORIGIN)
    again = Signer.parse(made.private_text() + "\n")
    assert again.verifier == made.verifier == Verifier.parse(made.verifier.vkey)
    assert Signer.generate(ORIGIN).verifier != made.verifier


def test_unknown_signatures_are_ignored():
    note = sign_checkpoint(CHECKPOINT, [SIGNER]) + signature_line(OTHER.verifier, bytes(64))
    assert verify_checkpoint(note, [SIGNER.verifier]) == (CHECKPOINT, (SIGNER.verifier,))
    forged_name = Signer(ORIGIN, bytes(range(32)))
    note += signature_line(forged_name.verifier, bytes(64))
    assert verify_checkpoint(note, [SIGNER.verifier])[1] == (SIGNER.verifier,)


def test_two_keys_sign_while_one_replaces_the_other():
    new = Signer(ORIGIN, bytes(range(32)))
    note = sign_checkpoint(CHECKPOINT, [SIGNER, new])
    for known in ([SIGNER.verifier], [new.verifier], [SIGNER.verifier, new.verifier]):
        assert verify_checkpoint(note, known)[1] == tuple(known)


def test_a_wrong_signature_of_a_known_key_spoils_the_note():
    note = sign_checkpoint(CHECKPOINT, [SIGNER]) + signature_line(OTHER.verifier, bytes(64))
    with pytest.raises(MalformedNote, match=r"witness.example.* is wrong"):
        verify_note(parse_note(note), [SIGNER.verifier, OTHER.verifier])


def test_only_a_key_that_bears_the_origin_speaks_for_the_log():
    note = sign_note(TEXT, [OTHER])
    with pytest.raises(MalformedNote, match="origin"):
        verify_checkpoint(note, [OTHER.verifier])
    with pytest.raises(MalformedNote, match="no known key"):
        verify_checkpoint(note, [OTHER.verifier, SIGNER.verifier])
    with pytest.raises(MalformedNote, match="bear the log's origin"):
        sign_checkpoint(CHECKPOINT, [OTHER])
    with pytest.raises(MalformedNote, match="bear the log's origin"):
        sign_checkpoint(CHECKPOINT, [])


def test_a_receipt_key_never_speaks_for_a_log():
    receipt_key = Signer(ORIGIN + "/receipt", bytes(32))
    note = sign_note(TEXT.replace(ORIGIN, ORIGIN + "/receipt"), [receipt_key])
    with pytest.raises(MalformedNote, match="receipt"):
        verify_checkpoint(note, [receipt_key.verifier])


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\u00a0b", "a\u2003b", "a\nb", "a\x1fb"])
def test_names_that_no_note_can_carry(name):
    with pytest.raises(MalformedNote, match="key name"):
        Signer(name, bytes(32))
    with pytest.raises(MalformedNote, match="key name"):
        check_origin(name)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "text\n",
        "text\n\n",
        "text\n\n— name",
        "text\n\n— name AAAAAAAA",
        "text\n\n— name AAAA\n",
        "text\n\n— name AAAAAAA\n",
        "text\n\n— name AAAAAAAB \n",
        "text\n\n- name AAAAAAAA\n",
        "text\n\n—name AAAAAAAA\n",
        "text\n\n—  AAAAAAAA\n",
        "te\x00xt\n\n— name AAAAAAAA\n",
        "te\rxt\n\n— name AAAAAAAA\n",
        "text\n\n" + "— name AAAAAAAA\n" * 65,
        "x" * NOTE_LIMIT_BYTES + "\n\n— name AAAAAAAA\n",
        "\ud800\n\n— name AAAAAAAA\n" * 3,
    ],
)
def test_what_is_no_note(text):
    with pytest.raises(MalformedNote):
        parse_note(text)


def test_sixteen_signatures_are_accepted():
    assert len(parse_note("text\n\n" + "— name AAAAAAAA\n" * 16).signatures) == 16


@pytest.mark.parametrize(
    "body",
    [
        "origin\n7\n",
        f"\n7\n{TEXT.splitlines()[2]}\n",
        f"origin\n07\n{TEXT.splitlines()[2]}\n",
        f"origin\n-7\n{TEXT.splitlines()[2]}\n",
        f"origin\n+7\n{TEXT.splitlines()[2]}\n",
        f"origin\n٧\n{TEXT.splitlines()[2]}\n",
        f"origin\n7.0\n{TEXT.splitlines()[2]}\n",
        f"origin\n9223372036854775808\n{TEXT.splitlines()[2]}\n",
        f"origin\n{'9' * 5000}\n{TEXT.splitlines()[2]}\n",
        "origin\n7\nAAAA\n",
        "origin\n7\n%%%%\n",
        f"origin\n7\n{TEXT.splitlines()[2]}\n\nextension\n",
    ],
)
def test_what_is_no_checkpoint(body):
    with pytest.raises(MalformedNote):
        read_checkpoint(sign_note(body, [SIGNER]))


def test_the_checkpoint_of_an_empty_tree_reads_and_extensions_are_kept():
    text = TEXT.replace("\n7\n", "\n0\n") + "extension\n"
    assert read_checkpoint(sign_note(text, [SIGNER])) == Checkpoint(ORIGIN, 0, ROOT, ("extension",))


@pytest.mark.parametrize(
    "vkey",
    [
        "",
        "name",
        "name+00000000",
        SIGNER.verifier.vkey.replace("+", "-"),
        SIGNER.verifier.vkey[:-4],
        SIGNER.verifier.vkey.replace(ORIGIN, "other"),
        f"name+00000000+{base64.b64encode(bytes(33)).decode()}",
        "name+00000000+" + base64.b64encode(b"\x04" + bytes(32)).decode(),
    ],
)
def test_what_is_no_verifier_key(vkey):
    with pytest.raises(MalformedNote):
        Verifier.parse(vkey)


@pytest.mark.parametrize("text", ["", SIGNER.verifier.vkey, SIGNER.private_text().replace(ORIGIN, "other")])
def test_what_is_no_private_key(text):
    with pytest.raises(MalformedNote):
        Signer.parse(text)
