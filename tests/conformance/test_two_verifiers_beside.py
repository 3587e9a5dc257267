"""What is given beside a file: another log's, a copy too early to convict, forks, forged receipts."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from audit.entry import format_time
from audit.errors import VerificationFailed
from audit.merkle import inclusion_path, leaf_hash, root
from audit.note import Signer
from audit.offline import Beside, Proved, check_file, load
from audit.proof import TlogProof
from audit.trust import CannotCheck, Trust
from audit.verifier import ofrecord_verify as single
from tests.oracles.verifier_files import (
    BESIDE,
    OLD,
    PLACE,
    SIZE,
    TIME,
    VKEYS,
    Files,
    entry_of,
    make_files,
    signed_tree,
)

OTHER = Signer("elsewhere.example/log", bytes(range(3, 35)))
NOW = TIME + timedelta(days=30)


@pytest.fixture(scope="module")
def files() -> Files:
    return make_files()


@dataclass(frozen=True)
class Said:
    """What both say: one exit code, and the words of each."""

    code: int
    words: tuple[str, str]

    def both(self, *parts: str) -> bool:
        return all(part in word for part in parts for word in self.words)


def _ended(check: Callable[[], object]) -> tuple[int, str]:
    try:
        return 0, str(check())
    except (CannotCheck, single.CannotCheck) as error:
        return 2, str(error)
    except (VerificationFailed, single.NotProved) as error:
        return 1, str(error)


def said(data: bytes, *others: bytes, log: Path | None = None, keys: tuple[str, ...] = ()) -> Said:
    given = keys or (*VKEYS, OTHER.verifier.vkey)

    def ours() -> Proved:
        return check_file(data, Beside(Trust.parse(given), NOW, log, tuple(map(load, others))))

    def theirs() -> dict[str, object]:
        parsed = [single.parse_key(vkey) for vkey in given]
        beside = [single.load(one) for one in others]
        return single.check(data, single.Given(parsed, False, log and str(log), beside, format_time(NOW)))

    (code, word), (other_code, other_word) = _ended(ours), _ended(theirs)
    assert code == other_code, (word, other_word)
    return Said(code, (word, other_word))


def _other_log(folder: Path) -> list[bytes]:
    """Publish a log of somebody else's, younger than any promise of ours."""
    entries = [entry_of(100_000 + number)[1] for number in range(3)]
    made = Files({}, entries)
    made.publish(folder, len(entries))
    (folder / "checkpoint").write_text(signed_tree(made.leaves(), OTHER))
    return made.leaves()


def _changed(data: bytes, **members: object) -> bytes:
    return json.dumps({**json.loads(data), **members}).encode()


@pytest.mark.parametrize("name", ["receipt", "lost", "due later"])
def test_another_log_cannot_break_a_promise(files, tmp_path, name):
    leaves = _other_log(tmp_path)
    judged = said(files.by_name[name], log=tmp_path)
    assert (judged.code, judged.both("log")) == (2, True)
    path = inclusion_path(1, 3, lambda level, index: root(leaves[index << level : (index + 1) << level]))
    proof = TlogProof(1, tuple(path), signed_tree(leaves, OTHER)).to_text().encode()
    assert said(files.by_name[name], proof).code == 2


def test_only_a_copy_from_after_its_time_convicts(files, tmp_path):
    folder = files.publish(tmp_path)
    assert said(files.by_name["lost"], log=folder).both("BROKEN PROMISE")
    judged = said(files.by_name["due later"], log=folder)
    assert (judged.code, judged.both("a later copy is needed")) == (2, True)
    due = TIME + timedelta(minutes=PLACE, hours=24)
    for moment, code in ((due, 2), (due + timedelta(seconds=1), 1)):
        (folder / "checkpoint").write_text(signed_tree(files.leaves(), cosigned=moment))
        judged = said(files.by_name["due later"], log=folder)
        assert (judged.code, judged.both("BROKEN PROMISE")) == (code, code == 1)
    judged = said(files.by_name["due later"], log=folder, keys=tuple(VKEYS[:2]))
    assert judged.code == 2, "a cosignature of nobody who is known says nothing"


def test_an_entry_id_that_no_receipt_signs_is_compared_with_the_entry(files, tmp_path):
    folder = files.publish(tmp_path)
    forged = _changed(files.by_name["receipt"], entry_id="deadbeef-dead-beef-dead-beefdeadbeef")
    judged = said(forged, log=folder)
    assert (judged.code, judged.both("another entry")) == (1, True)
    assert said(forged, files.by_name["proof"], log=folder).code == 1
    assert said(files.by_name["receipt"], files.by_name["proof"], log=folder).code == 0
    for others in ([], [files.by_name["proof"]]):
        judged = said(forged, *others)
        assert judged.code == 0
        assert "'not checked': ['that the leaf is entry deadbeef" in judged.words[1]
        assert "'entry_id'" not in judged.words[1]


def test_a_damaged_bundle_does_not_name_an_entry(files, tmp_path):
    folder = files.publish(tmp_path)
    bundle = folder / "tile" / "entries" / "000"
    bundle.write_bytes(bundle.read_bytes().replace(b'"outcome":"decline"', b'"outcome":"approve"'))
    assert said(files.by_name["receipt"], log=folder).code == 1
    bundle.unlink()
    assert said(files.by_name["receipt"], log=folder).code == 2


def _fork(files: Files, size: int) -> bytes:
    return signed_tree([bytes([1]) * 32, *files.leaves()[1:size]]).encode()


@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("name", BESIDE)
def test_a_fork_among_the_files_given_is_seen(files, name, first):
    others = [files.by_name[one] for one in BESIDE[name]]
    pair = [_fork(files, OLD), files.by_name["old"]]
    judged = said(files.by_name[name], *(pair + others if first else others + pair[::-1]))
    assert (judged.code, judged.both("FORK", str(OLD))) == (1, True)


@pytest.mark.parametrize("name", [*BESIDE, "lost", "due later"])
def test_every_checkpoint_given_is_compared_with_the_folder(files, name, tmp_path):
    folder, others = files.publish(tmp_path), [files.by_name[one] for one in BESIDE.get(name, [])]
    for size in (1, 256, 299):
        judged = said(files.by_name[name], *others, _fork(files, size), log=folder)
        assert (judged.code, judged.both("FORK", str(size))) == (1, True)
    stranger = signed_tree([bytes(32)] * OLD, OTHER).encode()
    judged = said(files.by_name[name], *others, stranger, log=folder)
    assert judged.code == {"lost": 1, "due later": 2}.get(name, 0), "another log says nothing of this one"


def test_a_folder_shorter_than_what_was_given_decides_nothing(files, tmp_path):
    folder = files.publish(tmp_path, 271)
    assert said(files.by_name["old"], log=folder).code == 0
    judged = said(files.by_name["old"], files.by_name["new"], log=folder)
    assert (judged.code, judged.both("shorter")) == (2, True)


def test_a_proof_takes_its_leaf_only_from_a_receipt_that_holds(files):
    proof, receipt = files.by_name["proof"], files.by_name["receipt"]
    assert said(proof, receipt).code == 0
    for forged in (
        _changed(receipt, signature=base64.b64encode(bytes(64)).decode()),
        _changed(receipt, integrate_by="2020-01-01T00:00:00.000000Z"),
    ):
        judged = said(proof, forged)
        assert (judged.code, judged.both("receipt")) == (1, True)
    judged = said(proof, receipt, keys=(VKEYS[0],))
    assert (judged.code, judged.both("was not given")) == (2, True)
    assert said(proof, _changed(receipt, index=PLACE + 1)).code == 1
    assert said(proof, json.dumps({"leaf_hash": leaf_hash(files.entries[PLACE]).hex()}).encode()).code == 0


def test_two_logs_of_one_size_are_no_fork_and_no_growth(files):
    consistency, old, new = (files.by_name[one] for one in ("consistency", "old", "new"))
    stranger_old, stranger_new = (signed_tree([bytes(32)] * size, OTHER).encode() for size in (OLD, SIZE))
    assert said(consistency, old, stranger_new).code == 2
    assert said(consistency, old, stranger_old, new, stranger_new).code == 0
    assert said(consistency, stranger_old, stranger_new).code == 1
