"""A retired key in a thief's hands: both verifiers believe it up to the tree that it rightly signed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from audit import merkle
from audit.checkpoint import Checkpoint, sign_checkpoint
from audit.errors import VerificationFailed
from audit.note import Signer
from audit.offline import Beside, check_file, load
from audit.trust import CannotCheck, Trust
from audit.verifier import ofrecord_verify as single
from cli.main import app
from tests.oracles.verifier_files import (
    LATER,
    OLD,
    ORIGIN,
    RECEIPTS,
    SIGNER,
    SIZE,
    TIME,
    VKEYS,
    WITNESS,
    Files,
    make_files,
    signed_tree,
)

PAST = SIGNER.verifier.vkey
NEW = Signer(ORIGIN, bytes(range(9, 41)))
KEYS = [f"{PAST}@{OLD}", NEW.verifier.vkey, RECEIPTS.verifier.vkey]
ALONE = f"{SIGNER.verifier.key_id}.* was given for trees of up to {OLD} only"


@pytest.fixture(scope="module")
def files() -> Files:
    return make_files()


def ended(data: bytes, *others: bytes, keys: list[str], witness: bool = False) -> int:
    """What both say, which is the same: 0 proved, 1 not, 2 cannot be checked. Refusals name the past key."""
    words = []
    try:
        trust = Trust.parse(keys, require_witness=witness)
        check_file(data, Beside(trust, TIME, None, tuple(load(one) for one in others)))
        ours = 0
    except CannotCheck:
        ours = 2
    except VerificationFailed as error:
        ours, words = 1, [str(error)]
    try:
        given = [single.parse_key(key) for key in keys]
        single.check(data, single.Given(given, witness, None, [single.load(one) for one in others], LATER))
        theirs = 0
    except (single.CannotCheck, ValueError):
        theirs = 2
    except single.NotProved as error:
        theirs, words = 1, [*words, str(error)]
    assert ours == theirs, words
    if f"{PAST}@{OLD}" in keys and not witness:
        assert all("given for trees of up to" in word for word in words), words
    return ours


def _tree(leaves: list[bytes], *signers: Signer) -> bytes:
    return sign_checkpoint(Checkpoint(ORIGIN, len(leaves), merkle.root(leaves)), signers).encode()


def _forged(files: Files, size: int) -> list[bytes]:
    """Another history of the same log, as the thief would have it."""
    return [bytes([66]) * 32] * size if size > SIZE else [bytes([66]) * 32, *files.leaves()[1:size]]


@pytest.mark.parametrize("size", [OLD + 1, SIZE, SIZE + 500])
def test_a_larger_tree_that_the_retired_key_alone_has_signed_is_refused(files, size):
    forged = _tree(_forged(files, size), SIGNER)
    assert ended(forged, keys=KEYS) == 1
    assert ended(forged, keys=[PAST, *KEYS[1:]]) == 0, "as it was without a limit"


def test_forged_evidence_by_the_retired_key_is_refused(files):
    """The evidence file is whole and its tree larger than the limit: only the key's age tells."""
    assert ended(files.by_name["evidence"], keys=KEYS) == 1
    assert ended(files.by_name["inclusion"], keys=KEYS) == 1
    assert ended(files.by_name["consistency"], files.by_name["old"], files.by_name["new"], keys=KEYS) == 1


def test_honest_old_evidence_is_accepted_up_to_the_very_size(files):
    for size in (1, OLD - 1, OLD):
        assert ended(_tree(files.leaves()[:size], SIGNER), keys=KEYS) == 0
    assert ended(_tree(files.leaves()[: OLD + 1], SIGNER), keys=KEYS) == 1
    exact = [f"{PAST}@{SIZE}", *KEYS[1:]]
    assert ended(files.by_name["evidence"], keys=exact) == 0
    assert ended(files.by_name["evidence"], keys=[f"{PAST}@{SIZE - 1}", *KEYS[1:]]) == 1


def test_what_the_next_key_signed_too_is_accepted_whatever_stands_beside_it(files):
    leaves = files.leaves()
    assert ended(_tree(leaves, SIGNER, NEW), keys=KEYS) == 0
    assert ended(_tree(leaves, NEW), keys=KEYS) == 0
    spoiled = _tree(leaves, SIGNER, NEW).decode().splitlines(keepends=True)
    line = spoiled[4]  # the past key's: it says nothing here, as a stranger's
    spoiled[4] = line[:-20] + line[-20:-3].swapcase() + line[-3:]
    assert spoiled[4] != line
    assert ended("".join(spoiled).encode(), keys=KEYS) == 0


def test_the_smaller_limit_counts_where_a_key_is_given_twice(files):
    for keys in ([PAST, f"{PAST}@{OLD}"], [f"{PAST}@{OLD}", PAST], [f"{PAST}@{SIZE}", f"{PAST}@{OLD}"]):
        assert ended(files.by_name["old"], keys=keys) == 0
        assert ended(files.by_name["new"], keys=keys) == 1


def test_a_witness_that_was_retired_cosigns_no_larger_tree(files):
    keys = [PAST, f"{WITNESS.key.vkey}@{OLD}"]
    assert ended(files.by_name["old"], keys=keys, witness=True) == 0
    assert ended(files.by_name["new"], keys=keys, witness=True) == 1
    assert ended(files.by_name["new"], keys=keys) == 0


@pytest.mark.parametrize(
    "ending", ["@", "@-1", "@01", "@1e3", "@ 5", "@5@6", "@5 6", "@\u0665", f"@{10**18}", "@x", "5"]
)
def test_a_limit_that_is_no_size_is_refused_by_both(files, ending):
    assert ended(files.by_name["old"], keys=[PAST + ending]) == 2


def test_a_receipt_key_has_no_limit(files):
    assert ended(files.by_name["receipt"], keys=[f"{RECEIPTS.verifier.vkey}@{SIZE}"]) == 2
    assert ended(files.by_name["receipt"], keys=[RECEIPTS.verifier.vkey]) == 0


def test_a_limit_of_nothing_and_one_beyond_everything(files):
    assert ended(files.by_name["old"], keys=[f"{PAST}@0"]) == 1
    assert ended(files.by_name["old"], keys=[f"{PAST}@{10**18 - 1}"]) == 0


def test_a_name_may_have_such_a_sign_itself(files):
    odd = Signer("log@9", bytes(32))
    checkpoint = sign_checkpoint(Checkpoint("log@9", OLD, bytes(32)), [odd]).encode()
    assert [ended(checkpoint, keys=[odd.verifier.vkey + limit]) for limit in ("", "@270", "@269")] == [
        0,
        0,
        1,
    ]


def test_both_programs_say_why(files, tmp_path: Path, capsysbinary):
    (tmp_path / "forged").write_bytes(signed_tree(_forged(files, SIZE)).encode())
    (tmp_path / "keys").write_text("\n".join([f"{PAST}@{OLD}", *VKEYS[1:]]))
    arguments = [str(tmp_path / "forged"), "--key", str(tmp_path / "keys")]
    done = CliRunner().invoke(app, ["verify", *arguments])
    assert done.exit_code == 1
    assert (
        f"signed by a past key alone: {SIGNER.verifier.key_id} was given for trees of up to {OLD}"
        in done.output
    )
    assert single.main(arguments) == 1
    said = capsysbinary.readouterr().out.decode()
    assert f"{SIGNER.verifier.key_id}, a past key, was given for trees of up to {OLD} only" in said


def test_the_key_on_the_command_line_is_read_with_its_limit(files, tmp_path: Path):
    (tmp_path / "inclusion").write_bytes(json.dumps(json.loads(files.by_name["inclusion"])).encode())
    for limit, code in ((SIZE, 0), (SIZE - 1, 1)):
        arguments = [str(tmp_path / "inclusion"), "--key", f"{PAST}@{limit}"]
        assert (CliRunner().invoke(app, ["verify", *arguments]).exit_code, single.main(arguments)) == (
            code,
            code,
        )
