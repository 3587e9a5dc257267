"""Two verifiers without a common line give one verdict on files of every kind, changed or not."""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Iterator, Sequence
from datetime import timedelta
from functools import lru_cache
from pathlib import Path

import pytest

from audit.errors import VerificationFailed
from audit.offline import Beside, check_file, load
from audit.trust import CannotCheck, Trust
from audit.verifier import ofrecord_verify as single
from tests.oracles.verifier_files import BESIDE, LATER, OLD, SIZE, TIME, VKEYS, Files, make_files

LIMITS = [0, 1, OLD - 1, OLD, OLD + 1, SIZE - 1, SIZE, SIZE + 1, 10**17, 10**18, "", "05", "-1", "5@300"]


@pytest.fixture(scope="module")
def files() -> Files:
    return make_files()


@pytest.fixture(scope="module", autouse=True)
def _each_signature_once() -> Iterator[None]:
    """The slow arithmetic is done once for equal questions; its answers stay its own."""
    own = single.signed, single.decode_point
    single.signed, single.decode_point = (lru_cache(100_000)(one) for one in own)
    yield
    single.signed, single.decode_point = own


def ours(
    data: bytes,
    others: list[bytes],
    folder: Path | None = None,
    witness: bool = False,
    vkeys: Sequence[str] = VKEYS,
) -> tuple:
    try:
        trust = Trust.parse(vkeys, require_witness=witness)
        later = TIME + timedelta(days=30)
        proved = check_file(data, Beside(trust, later, folder, tuple(load(one) for one in others)))
    except CannotCheck:
        return (2,)
    except VerificationFailed:
        return (1,)
    signed, evidence = proved.signed, proved.evidence
    return (
        0,
        signed and (signed.checkpoint.tree_size, signed.checkpoint.root.hex()),
        signed and (sorted(signed.signed_by), len(signed.cosignatures)),
        proved.index,
        evidence and str(evidence.entry.entry_id),
        evidence and (evidence.receipt is not None, evidence.receipt_checked),
        proved.grown_from,
    )


def theirs(
    data: bytes,
    others: list[bytes],
    folder: Path | None = None,
    witness: bool = False,
    vkeys: Sequence[str] = VKEYS,
) -> tuple:
    try:
        keys = [single.parse_key(vkey) for vkey in vkeys]
    except ValueError:
        return (2,)
    try:
        beside = [single.load(one) for one in others]
        told = single.check(data, single.Given(keys, witness, folder and str(folder), beside, LATER))
    except single.CannotCheck:
        return (2,)
    except single.NotProved:
        return (1,)
    evidence = "type" in told
    index = told.get("index")
    if "promise" in told:
        index = int(told["promise"].rpartition(" ")[2])
    return (
        0,
        (told["tree size"], told["root"]) if "root" in told else None,
        (sorted(told["signed by"]), len(told["cosigned by"])) if "root" in told else None,
        index,
        told["entry_id"] if evidence else None,
        ("receipt" in told, told.get("receipt") == "valid") if evidence else None,
        told.get("grown from"),
    )


def agreed(
    data: bytes,
    others: list[bytes],
    folder: Path | None = None,
    witness: bool = False,
    vkeys: Sequence[str] = VKEYS,
) -> tuple:
    given = data, others, folder, witness, vkeys
    first, second = ours(*given), theirs(*given)
    assert first == second, (data[:3000], vkeys)
    return first


@pytest.mark.parametrize("name", BESIDE)
def test_both_accept_what_the_log_gave_out(files, name, tmp_path):
    others = [files.by_name[one] for one in BESIDE[name]]
    told = agreed(files.by_name[name], others, witness=True)
    assert told[0] == 0
    assert agreed(files.by_name[name], others, files.publish(tmp_path))[:4] == told[:4]


def _changed_text(data: bytes, chance: random.Random) -> bytes:
    """Change bytes where they stand: one flipped, one lost, one doubled, a piece moved."""
    changed, place = bytearray(data), chance.randrange(len(data))
    match chance.randrange(5):
        case 0:
            changed[place] ^= 1 << chance.randrange(8)
        case 1:
            del changed[place]
        case 2:
            changed.insert(place, chance.choice(data))
        case 3:
            del changed[place : place + chance.randrange(200)]
        case _:
            changed[place : place + 1] = chance.choice(
                [
                    b"\\u0000",
                    b"\xff",
                    b"\r\n",
                    b'"',
                    b"0",
                    b"NaN",
                    b'"a":1,"a":1,',
                    b"[" * 300,
                    b"1e999",
                    b" ",
                ]
            )
    return bytes(changed)


def _changed_value(value: object, chance: random.Random) -> object:
    """Change one value somewhere inside; base64 and hexadecimal are changed in what they encode."""
    if isinstance(value, dict) and value and chance.random() < 0.93:
        name = chance.choice(list(value))
        return {**value, name: _changed_value(value[name], chance)}
    if isinstance(value, list) and value and chance.random() < 0.8:
        place = chance.randrange(len(value))
        return [*value[:place], _changed_value(value[place], chance), *value[place + 1 :]]
    if isinstance(value, str) and value and chance.random() < 0.85:
        try:
            return base64.b64encode(_changed_text(base64.b64decode(value, validate=True), chance)).decode()
        except ValueError:
            return _changed_text(value.encode(), chance).decode(errors="replace")
    if isinstance(value, int) and chance.random() < 0.7:
        return value + chance.choice([-1, 1, 2**63, -(2**64)])
    return chance.choice([None, True, 0, -1, 1.5, "", "x", [], {}, [value], {"a": value}])


def _changed_keys(chance: random.Random) -> list[str]:
    """Limit keys around the sizes that occur, give one twice, and now and then change the text of one."""
    keys = [key for key in VKEYS if chance.random() < 0.9] or VKEYS[:1]
    for _ in range(chance.randrange(3)):
        key, size = chance.choice(VKEYS[::2] if chance.random() < 0.95 else VKEYS), chance.choice(LIMITS)
        place = keys.index(key) if key in keys and chance.random() < 0.7 else len(keys)
        keys[place : place + 1] = [f"{key}@{size}"]
    if chance.random() < 0.15:
        place = chance.randrange(len(keys))
        changed = _changed_text(keys[place].encode(), chance).decode(errors="replace")
        keys[place : place + 1] = changed.split()
    return keys


def _mutations(files: Files, rounds: int, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - repeatable on purpose
    refused = limited = 0
    for number in range(rounds):
        name = chance.choice(list(BESIDE))
        data, others = files.by_name[name], [files.by_name[one] for one in BESIDE[name]]
        if data.startswith(b"{") and chance.random() < 0.6:
            changed = json.dumps(_changed_value(json.loads(data), chance)).encode()
        else:
            changed = _changed_text(data, chance)
        if others and chance.random() < 0.2:
            place = chance.randrange(len(others))
            others[place], changed = _changed_text(others[place], chance), data
        refused += agreed(changed, others)[0] != 0
        if number % 3 == 0:
            limited += agreed(data, others, vkeys=_changed_keys(chance))[0] != 0
    assert refused > 0.75 * rounds  # what is left changed a space or a member that proves nothing
    assert 0.2 * rounds / 3 < limited < 0.8 * rounds / 3


def test_both_agree_on_thousands_of_changed_files(files):
    _mutations(files, 5_000, 20261120)


@pytest.mark.prove
@pytest.mark.parametrize("seed", range(10))
def test_both_agree_on_many_more_changed_files(files, seed):
    _mutations(files, 20_000, seed)


def test_both_agree_on_every_single_bit_of_the_proof(files):
    """No bit of index, path, checkpoint text or signature can change; names of unknown signers may."""
    proof = json.loads(files.by_name["inclusion"])
    text = proof["tlog_proof"].encode()
    accepted = 0
    for place in range(len(text)):
        changed = bytearray(text)
        changed[place] ^= 1 << place % 7
        value = {**proof, "tlog_proof": changed.decode(errors="replace")}
        accepted += agreed(json.dumps(value).encode(), [])[0] == 0
    witness_line = text.index("— witness".encode())
    assert (
        accepted <= len(text) - witness_line
    )  # a line by a key that is not known is ignored (C2SP signed-note)


def _tampered(files: Files, folder: Path, chance: random.Random) -> None:
    path = chance.choice([one for one in sorted(folder.rglob("*")) if one.is_file()])
    path.write_bytes(_changed_text(path.read_bytes(), chance))


def test_both_agree_on_changed_published_logs(files, tmp_path):
    chance, codes = random.Random(7), []  # noqa: S311 - repeatable on purpose
    for number in range(60):
        folder = files.publish(tmp_path / str(number), chance.choice([SIZE, 256, 257, 271, 280]))
        if number:
            _tampered(files, folder, chance)
        codes += [
            agreed(files.by_name[name], [], folder)[0] for name in ("evidence", "receipt", "lost", "old")
        ]
    assert codes[:2] in ([0, 0], [2, 0])
    assert set(codes) == {0, 1, 2}


def test_a_lost_leaf_is_a_broken_promise_and_an_early_one_is_not(files, tmp_path):
    folder = files.publish(tmp_path)
    assert agreed(files.by_name["lost"], [], folder) == (1,)
    given = single.Given([single.parse_key(vkey) for vkey in VKEYS], False, str(folder), [], LATER)
    with pytest.raises(single.NotProved, match="BROKEN PROMISE"):
        single.check(files.by_name["lost"], given)
    with pytest.raises(single.CannotCheck, match="nor need it be"):
        single.check(files.by_name["lost"], given._replace(now="2026-11-20T11:00:00.000000Z"))
    trust = Trust.parse(VKEYS)
    with pytest.raises(VerificationFailed, match="BROKEN PROMISE"):
        check_file(files.by_name["lost"], Beside(trust, TIME + timedelta(days=30), folder))
    with pytest.raises(CannotCheck, match="nor need it be"):
        check_file(files.by_name["lost"], Beside(trust, TIME, folder))
