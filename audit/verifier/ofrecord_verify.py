#!/usr/bin/env python3
"""Check offline what an Ofrecord log has signed, with Python (3.9 or newer) and this file alone.

FILE is an evidence file, a receipt (or an answer with one inside), a C2SP tlog-proof, an inclusion or
consistency proof as the service answers it, or a signed checkpoint.
Exit 0: proved. 1: not proved. 2: it cannot be checked.

In this order: signatures, the tree, careful reading, signed notes, the kinds of file, the words.
"""

from __future__ import annotations

import argparse
import base64
import hmac
import json
import os
import re
import sys
from contextlib import contextmanager
from datetime import datetime, timezone
from hashlib import sha256, sha512
from typing import Any, Iterator, NamedTuple, Optional

# ---- Ed25519 (RFC 8032, section 5.1). A point is (X, Y, Z, T) with x = X/Z, y = Y/Z, xy = T/Z.
P, ORDER = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P


def decode_point(data: bytes) -> Any:
    """Section 5.1.3; None for bytes that are not the one encoding of a point."""
    y, sign = int.from_bytes(data, "little") % 2**255, data[31] >> 7
    u, v = (y * y - 1) % P, (D * y * y + 1) % P
    x = u * pow(v, 3, P) * pow(u * pow(v, 7, P), (P - 5) // 8, P) % P
    if (v * x * x - u) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    if (v * x * x - u) % P or y >= P or (x == 0 and sign):
        return None
    x = x if x % 2 == sign else P - x
    return x, y, 1, x * y % P


def add(p: Any, q: Any) -> Any:
    """Section 5.1.4."""
    a, b = (p[1] - p[0]) * (q[1] - q[0]) % P, (p[1] + p[0]) * (q[1] + q[0]) % P
    c, d = 2 * p[3] * q[3] * D % P, 2 * p[2] * q[2] % P
    return (b - a) * (d - c) % P, (d + c) * (b + a) % P, (d - c) * (d + c) % P, (b - a) * (b + a) % P


def times(number: int, point: Any) -> Any:
    total = (0, 1, 1, 0)
    while number:
        total = add(total, point) if number & 1 else total
        point, number = add(point, point), number >> 1
    return total


BASE = decode_point((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))


def signed(public: bytes, message: bytes, signature: bytes) -> bool:
    """Section 5.1.7. R must be the encoding of S*B - k*A and S below the order: each has one form."""
    point, s = decode_point(public), int.from_bytes(signature[32:], "little")
    if len(signature) != 64 or point is None or s >= ORDER:
        return False
    k = int.from_bytes(sha512(signature[:32] + public + message).digest(), "little") % ORDER
    x, y, z, _ = add(times(s, BASE), times(k, (P - point[0], point[1], 1, P - point[3])))
    x, y = x * pow(z, P - 2, P) % P, y * pow(z, P - 2, P) % P
    return bool((y | (x & 1) << 255).to_bytes(32, "little") == signature[:32])


# ---- The tree (RFC 6962, section 2.1), by its recursive definitions.
def leaf_hash(entry: bytes) -> bytes:
    return sha256(b"\0" + entry).digest()


def node(left: bytes, right: bytes) -> bytes:
    return sha256(b"\1" + left + right).digest()


def split(size: int) -> int:
    """The largest power of two below size."""
    return 1 << (size - 1).bit_length() - 1


def root(leaves: list[bytes]) -> bytes:
    if len(leaves) < 2:
        return leaves[0] if leaves else sha256().digest()
    k = split(len(leaves))
    return node(root(leaves[:k]), root(leaves[k:]))


def root_by(path: list[bytes], leaf: bytes, index: int, size: int) -> bytes:
    """Section 2.1.1: the root that a path gives to the leaf at this index."""
    require(0 <= index < size and (size == 1) == (not path), "the path does not fit this index and size")
    if size == 1:
        return leaf
    k = split(size)
    if index < k:
        return node(root_by(path[:-1], leaf, index, k), path[-1])
    return node(path[-1], root_by(path[:-1], leaf, index - k, size - k))


def roots_by(proof: list[bytes], old: int, new: int, known: Optional[bytes]) -> tuple[bytes, bytes]:
    """Section 2.1.2: both roots that a consistency proof gives; `known` is the old one, while it is whole."""
    if old == new:
        require(len(proof) == (known is None), "the proof does not fit these sizes")
        return (known, known) if known is not None else (proof[0], proof[0])
    require(0 < old < new and proof, "the proof does not fit these sizes")
    k = split(new)
    if old <= k:
        before, after = roots_by(proof[:-1], old, k, known)
        return before, node(after, proof[-1])
    before, after = roots_by(proof[:-1], old - k, new - k, None)
    return node(proof[-1], before), node(proof[-1], after)


# ---- Careful reading: files come from strangers. What is malformed is a ValueError until a step names it.
class NotProved(Exception):
    pass


class CannotCheck(Exception):
    pass


@contextmanager
def step(name: str) -> Iterator[None]:
    try:
        yield
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise NotProved(f"{name}: {error}") from error


def require(holds: object, otherwise: str) -> None:
    if not holds:
        raise ValueError(otherwise)


def plain(value: object) -> str:
    """Nothing out of a file may steer the terminal."""
    return "".join(c if c.isprintable() else "\ufffd" for c in str(value)[:4000])


def read(*path: str) -> bytes:
    try:
        if len(path) > 1 and not os.path.isfile(os.path.join(*path)):
            raise CannotCheck(f"{os.path.join(*path)} is not there")
        with open(os.path.join(*path), "rb") as file:
            data = file.read((16 << 20) + 1)
    except (OSError, ValueError) as error:
        raise CannotCheck(str(error)) from error
    require(len(data) <= 16 << 20, "more than 16 MiB")
    return data


def text(value: object, form: str = "(?s:.*)") -> str:
    if not isinstance(value, str) or not re.fullmatch(form, value):
        raise ValueError(f"{str(value)[:60]!r} does not have the form of its place")
    return value


def b64(value: object) -> bytes:
    data = base64.b64decode(text(value, "[A-Za-z0-9+/]*=?=?"))
    require(base64.b64encode(data).decode() == value, "not the one base64 of its bytes")
    return data


def hash_in_hex(value: object) -> bytes:
    return bytes.fromhex(text(value, "[0-9a-f]{64}"))


def time(value: object) -> str:
    """Times have one form, which sorts as they do."""
    datetime.strptime(text(value, "[0-9T:.-]{26}Z"), "%Y-%m-%dT%H:%M:%S.%fZ")  # noqa: DTZ007 - Z is UTC
    return str(value)


def parse_json(data: bytes) -> Any:
    """JSON that reads one way only: no name twice, no NaN, no half characters, at most 254 levels."""

    def once(members: list[tuple[str, Any]]) -> dict[str, Any]:
        require(len(dict(members)) == len(members), "a name occurs twice in one object")
        return dict(members)

    def number(written: str) -> Any:
        require(abs(float(written)) < float("inf"), "a number without end")
        return int(written) if re.fullmatch("-?[0-9]{1,19}", written) else float(written)

    def depth(value: Any) -> int:
        inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
        return 0 if inner is None else 1 + max(map(depth, inner), default=0)

    hooks: Any = {"parse_int": number, "parse_float": number, "parse_constant": number}
    value = json.loads(data.decode(), object_pairs_hook=once, **hooks)
    json.dumps(value, ensure_ascii=False).encode()
    require(depth(value) <= 254, "more than 254 levels")
    return value


# ---- Signed checkpoints (C2SP signed-note, tlog-checkpoint, tlog-cosignature), published logs (tlog-tiles)
class Key(NamedTuple):
    name: str
    id: str
    kind: int  # 1: of the log or its receipts; 4: of a witness
    public: bytes
    limit: int  # the largest tree it may sign: a past key is given as VKEY@SIZE


class Given(NamedTuple):
    """What stands on the command line beside the file."""

    keys: list[Key]
    witnessed: bool  # a cosignature by one of the witnesses among the keys is required
    log: Optional[str]  # the folder of a published log
    others: list[dict[str, Any]]  # other files: checkpoints and proofs
    now: str


class Checkpoint(NamedTuple):
    origin: str
    size: int
    root: bytes
    signers: list[str]
    witnesses: list[str]
    cosigned: str = ""  # the latest time of a cosignature


Copy = tuple[Checkpoint, list[bytes], str]  # of a log: all leaf hashes, the latest time in it


def parse_key(vkey: str) -> Key:
    form = r"([^\s+]+)\+([0-9a-f]{8})\+([^@]+)(?:@(0|[1-9][0-9]{0,17}))?"
    name, key_hash, material, limit = re.findall(form, text(vkey, form))[0]
    require(not limit or not name.endswith("/receipt"), "a receipt key signs no tree: it has no limit")
    data = b64(material)
    require(len(data) == 33 and data[0] in (1, 4), "only Ed25519 keys are known")
    expected = sha256(name.encode() + b"\n" + data).hexdigest()[:8]
    require(key_hash == expected, f"the key hash of {name} is not that of its key")
    point = decode_point(data[1:])  # under a point of small order one signature holds for many texts
    require(point and times(8, point)[0] % P, f"the key of {name} binds nothing: no point, or of small order")
    return Key(name, f"{name}+{key_hash}", data[0], data[1:], int(limit or 2**63))


def parse_checkpoint(note: str, given: Given) -> Checkpoint:
    """Check each signature by a given key: one of the log's at least, and a witness's if that is required."""
    fault = "not a signed checkpoint"
    require(len(note.encode()) <= 128 << 10 and not re.search("[\0-\x09\x0b-\x1f]", note), fault)
    body, _, rest = note.rpartition("\n\n")
    lines = [re.fullmatch(r"— ([^\s+]+) (\S+)", line) for line in rest.split("\n")[:-1]]
    require(0 < len(lines) <= 64 and all(lines) and rest.endswith("\n") and body.count("\n") >= 2, fault)
    origin, size, top, *more = body.split("\n")
    text(origin, r"[^\s+]+(?<!/receipt)")  # a receipt key never speaks for a tree
    require(int(text(size, "0|[1-9][0-9]{0,18}")) < 2**63 and len(b64(top)) == 32 and all(more), fault)
    found: dict[str, bytes] = {}
    for name, data in [(line[1], b64(line[2])) for line in lines if line]:
        require(len(data) > 4, fault)
        found.setdefault(f"{name}+{data[:4].hex()}", data[4:])
    signers, witnesses, cosigned, past = [], [], "", ""
    for key in sorted(given.keys, key=lambda key: key.limit):  # of one key given twice, the smaller limit
        message, signature = body.encode() + b"\n", found.pop(key.id, None)
        if signature is None or (key.kind == 1 and key.name != origin):
            continue
        if int(size) > key.limit:
            past += f"; {key.id}, a past key, was given for trees of up to {key.limit} only"
            continue
        if key.kind == 4:  # a time in seconds stands before the signature
            seconds, signature = int.from_bytes(signature[:8], "big"), signature[8:]
            require(0 < seconds < 253402300800, f"the time of {key.id} is wrong")
            message = b"cosignature/v1\ntime %d\n" % seconds + message
            at = datetime.fromtimestamp(seconds, timezone.utc)
            witnesses.append(f"{key.id} at {at:%Y-%m-%dT%H:%M:%SZ}")
            cosigned = max(cosigned, f"{at:%Y-%m-%dT%H:%M:%S.%fZ}")
        else:
            signers.append(key.id)
        require(signed(key.public, message, signature), f"the signature of {key.id} is wrong")
    require(signers, f"no key that was given has signed for this log{past}")
    require(witnesses or not given.witnessed, f"no witness whose key was given has cosigned{past}")
    return Checkpoint(origin, int(size), b64(top), signers, witnesses, cosigned)


def tile(folder: str, kind: str, number: int, width: int) -> bytes:
    name = f"{number % 1000:03d}"
    while number >= 1000:
        number //= 1000
        name = f"x{number % 1000:03d}/{name}"
    partial = os.path.join(folder, "tile", kind, name + ".p", str(width))
    return read(partial) if os.path.isfile(partial) else read(folder, "tile", kind, name)


def bundle(given: Given, leaves: list[bytes], number: int) -> list[Any]:
    """The entries of one tile of 256, each compared with its leaf."""
    inside, entries = leaves[256 * number : 256 * number + 256], []
    data = tile(given.log or "", "entries", number, len(inside)) if inside else b""
    for leaf in inside:
        end = 2 + int.from_bytes(data[:2], "big")
        require(leaf_hash(data[2:end]) == leaf, "an entry is not that of its leaf")
        entries.append(parse_json(data[2:end]))
        data = data[end:]
    return entries


def published(given: Given, origin: str) -> Copy:
    """A whole log out of its folder: its leaves make its root again, and it begins as was signed before."""
    with step("published log"):
        checkpoint = parse_checkpoint(read(given.log or "", "checkpoint").decode(), given)
        leaves: list[bytes] = []
        for first in range(0, checkpoint.size, 256):
            width = min(256, checkpoint.size - first)
            hashes = tile(given.log or "", "0", first // 256, width)
            leaves += [hashes[32 * place : 32 * place + 32] for place in range(width)]
        require(root(leaves) == checkpoint.root, "its leaves do not have the root that was signed")
        times = [time(entry["time"]) for entry in bundle(given, leaves, max(0, len(leaves) - 1) // 256)]
    copy = checkpoint, leaves, max([checkpoint.cosigned, *times])
    if checkpoint.origin != origin:
        raise CannotCheck(f"what is published is the log {checkpoint.origin}, not {origin}")
    refuse_forks(checkpoints(given), copy)
    return copy


# ---- The kinds of file. Each returns what it proves, by name; under OPEN stands what it leaves open.
OPEN = "not checked"
MEMBERS = "about actor body ciphertext_digest commitment entry_id key_id retention_class time type v"


def check_path(proof: object, leaf: bytes, given: Given, log: Optional[str] = None) -> tuple[int, Checkpoint]:
    """Check a C2SP tlog-proof: a place in the tree, the path from there to the root, the signed root."""
    with step("proof"):
        head, _, note = text(proof).partition("\n\n")
        form = r"c2sp\.org/tlog-proof@v1(?:\nextra (.*))?\nindex (0|[1-9][0-9]{0,18})((?:\n.+){0,63})"
        extra, index, lines = re.findall(form, text(head, form))[0]
        path = [b64(line) for line in lines.split("\n")[1:]]
        require(b64(extra) is not None and all(len(one) == 32 for one in path), "a path is of 32-byte hashes")
    with step("checkpoint"):
        checkpoint = parse_checkpoint(note, given)
    if log not in (None, checkpoint.origin):
        raise CannotCheck(f"the proof is of the log {checkpoint.origin}, not of {log}")
    with step("inclusion"):
        top = root_by(path, leaf, int(index), checkpoint.size)
        require(top == checkpoint.root, "the path does not lead from this leaf to the signed root")
    return int(index), checkpoint


def checkpoints(given: Given) -> list[Checkpoint]:
    with step("another file"):
        proofs = [text(one["tlog_proof"]).partition("\n\n")[2] for one in given.others if "tlog_proof" in one]
        notes = [text(one["checkpoint"]) for one in given.others if "checkpoint" in one]
        return [parse_checkpoint(note, given) for note in proofs + notes]


def refuse_forks(seen: list[Checkpoint], copy: Optional[Copy] = None) -> None:
    """Of one log, trees of one size have one root, and a published copy begins with each of them."""
    known: dict[tuple[str, int], bytes] = {}
    for one in sorted(seen, key=lambda one: one.size):
        if known.setdefault((one.origin, one.size), one.root) != one.root:
            raise NotProved(f"FORK: the log signed two different trees of {one.size}")
        if copy and one.origin == copy[0].origin:
            if one.size > copy[0].size:
                raise CannotCheck(f"what is published is shorter than {one.size}: an old copy, or cut back")
            if root(copy[1][: one.size]) != one.root:
                raise NotProved(f"FORK: what is published does not begin with the tree of {one.size} signed")


def about(checkpoint: Checkpoint, given: Given, copy: Optional[Copy] = None) -> dict[str, Any]:
    """Say what a checkpoint signs, and compare it with whatever else is known of the same log."""
    origin, size, top, signers, witnesses, _ = checkpoint
    refuse_forks([checkpoint, *checkpoints(given)])
    told: dict[str, Any] = {"log": origin, "signed by": signers, "cosigned by": witnesses}
    told.update({"tree size": size, "root": top.hex()})
    if given.log:
        copy = copy or published(given, origin)
        refuse_forks([checkpoint], copy)
        told["published"] = f"the published log of {copy[0].size} begins with this tree"
    return told


def evidence(value: dict[str, Any], given: Given) -> dict[str, Any]:
    with step("file"):
        text(value.get("format"), "ofrecord-evidence/v1")
        opening, given_receipt = value.get("opening"), value.get("receipt")
        require(opening is None or isinstance(opening, dict), "an opening is an object")
        data, blind, private = b64(value.get("entry")), b"", None
        if opening is not None:
            blind, private = b64(opening.get("blind")), b64(opening.get("plaintext"))
    with step("entry"):
        entry, leaf = parse_json(data), leaf_hash(data)
        again = json.dumps(entry, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()
        first = sorted(entry) == MEMBERS.split() and repr(entry["v"]) == "1"
        require(again == data and first, "not an entry of version 1")
        require(isinstance(entry["body"], dict), "the body of an entry is an object")
    index, checkpoint = check_path(value.get("tlog_proof"), leaf, given)
    with step("opening"):
        if private is not None:
            commitment = hmac.new(blind, private, sha256).hexdigest()
            require(len(blind) == 32 and commitment == entry["commitment"], "not what was committed to")
    told = {**{name: entry[name] for name in ("entry_id", "type", "time", "actor")}, "index": index}
    with step("receipt"):
        if given_receipt is not None:
            valid = check_receipt(given_receipt, given)
            said = [given_receipt[name] for name in ("entry_id", "time", "leaf_hash", "log_origin")]
            same = said == [entry["entry_id"], entry["time"], leaf.hex(), checkpoint.origin]
            require(same and given_receipt.get("index") in (None, index), "it is for another entry")
            told["receipt"] = "valid" if valid else "not checked: its key was not given"
    return {**told, **about(checkpoint, given), **decision(entry, private)}


def tlog_proof(value: dict[str, Any], given: Given) -> dict[str, Any]:
    with step("file"):
        named = [one for one in (value, *given.others) if "leaf_hash" in one]
        leaves = [hash_in_hex(one["leaf_hash"]) for one in named]
    if not leaves:
        raise CannotCheck("a proof alone does not say of what; give the receipt too: --with RECEIPT")
    if "signature" in named[0]:  # a receipt says something only if it holds
        return receipt(named[0], given._replace(others=[value, *given.others]))
    index, checkpoint = check_path(value["tlog_proof"], leaves[0], given)
    return {"leaf hash": leaves[0].hex(), "index": index, **about(checkpoint, given)}


def check_receipt(value: Any, given: Given) -> bool:
    """Tell whether a receipt key of its log signed it; False if no such key was given."""
    require(isinstance(value, dict), "a receipt is an object")
    text(value.get("entry_id"), "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
    origin, leaf = text(value.get("log_origin")), hash_in_hex(value.get("leaf_hash")).hex()
    signature, key_id, index = b64(value.get("signature")), text(value.get("key_id")), value.get("index")
    require(index is None or (type(index) is int and index >= 0), "an index is a number")
    lines = "ofrecord-receipt/v1", origin, leaf, time(value.get("time")), time(value.get("integrate_by")), ""
    message = "\n".join(lines).encode()
    known = [key for key in given.keys if key[:3:2] == (origin + "/receipt", 1)]
    valid = any(key.id == key_id and signed(key.public, message, signature) for key in known)
    require(valid or not known, "none of the receipt keys that were given has signed it")
    return valid


def receipt(value: dict[str, Any], given: Given) -> dict[str, Any]:
    with step("receipt"):
        if not check_receipt(value, given):
            raise CannotCheck(f"the key that signs this receipt was not given: {value['key_id']}")
    told: dict[str, Any] = {name: value[name] for name in ("leaf_hash", "log_origin", "time", "integrate_by")}
    leaf, origin = hash_in_hex(value["leaf_hash"]), value["log_origin"]
    told[OPEN] = [f"that the leaf is entry {value['entry_id']}, as no receipt signs it: give --log"]
    proofs = [one["tlog_proof"] for one in given.others if "tlog_proof" in one]
    copy = published(given, origin) if given.log else None
    if proofs:
        index, checkpoint = check_path(proofs[0], leaf, given, origin)
    elif copy:
        index, checkpoint = kept(leaf, value["integrate_by"], copy, given.now), copy[0]
    else:
        told[OPEN].append("whether the promise was kept: give a published log, or a proof of this leaf")
        return told
    compared = about(checkpoint, given, copy)
    with step("receipt"):
        require(value.get("index") in (None, index), "it names another index")
        if copy:
            entry = bundle(given, copy[1], index // 256)[index % 256]
            same = all(entry[one] == value[one] for one in ("entry_id", "time"))
            require(same, "its leaf is of another entry, or of another time")
            told = {"entry_id": value["entry_id"], **told, OPEN: []}
    return {**told, "promise": f"kept: the leaf is at index {index}", **compared}


def kept(leaf: bytes, due: str, copy: Copy, now: str) -> int:
    """The index of a promised leaf. Only a copy from after its time can say that it is missing."""
    checkpoint, leaves, latest = copy
    missing = f"this leaf is not in the tree of {checkpoint.size}"
    if leaf not in leaves and min(now, latest) <= due:
        raise CannotCheck(f"{missing} of {latest}, nor need it be before {due}: a later copy is needed")
    if leaf not in leaves:
        raise NotProved(f"BROKEN PROMISE: it was due by {due}; {missing}, a late enough copy: of {latest}")
    return leaves.index(leaf)


def consistency(value: Any, given: Given) -> dict[str, Any]:
    with step("file"):
        old, new, hashes = value.get("from"), value.get("to"), value.get("hashes")
        require([type(one) for one in (old, new, hashes)] == [int, int, list], "not a consistency proof")
        proof = [hash_in_hex(one) for one in hashes]
    known = {(one.origin, one.size): one for one in checkpoints(given)}
    both = [origin for origin, size in known if size == old and (origin, new) in known]
    if not both:
        raise CannotCheck(f"give both signed checkpoints of one log, of {old} and {new} leaves: --with FILE")
    before, after = known[both[0], old], known[both[0], new]
    with step("consistency"):
        roots = roots_by(proof, old, new, before.root)
        require(roots == (before.root, after.root), "the older tree is not how the newer one begins")
    return {"grown from": old, **about(after, given)}


def load(data: bytes) -> dict[str, Any]:
    with step("file"):
        if data.startswith(b"c2sp.org/tlog-proof@v1\n"):
            return {"tlog_proof": data.decode()}
        if not data.lstrip().startswith(b"{"):
            return {"checkpoint": data.decode()}
        value = parse_json(data)
        inside = value.get("receipt")
        return inside if isinstance(inside, dict) and "format" not in value else value


def check(data: bytes, given: Given) -> dict[str, Any]:
    value = load(data)
    refuse_forks(checkpoints(given))  # what is given beside it holds too, whether it is needed or not
    kinds = {"format": evidence, "tlog_proof": tlog_proof, "signature": receipt, "to": consistency}
    for member, kind in kinds.items():
        if member in value:
            return kind(value, given)
    with step("checkpoint"):
        return about(parse_checkpoint(text(value.get("checkpoint")), given), given)


# ---- The words
def decision(entry: dict[str, Any], private: Optional[bytes]) -> dict[str, Any]:
    """Say what was decided: from what is disclosed, or as far as the clear part of the entry goes."""
    named = ("model", "version", "kind", "explanation_id", "outcome", "supersedes", "superseded_by")
    told = {name: entry["body"][name] for name in named if entry["body"].get(name) is not None}
    if private is None:
        told["reasons"] = entry["body"].get("reason_codes", [])
        hidden = "the encrypted part of the entry: this file does not disclose it"
        return {**told, OPEN: hidden if entry["commitment"] else []}
    try:
        part = parse_json(private)
        if entry["type"] == "explanation.reviewed":
            said = {name: text(part[name]).split("\n") for name in ("reviewer", "note") if part[name]}
            return {**told, **said}
        told["decision id"] = part["decision_id"]
        if "decision" in part:
            told["score"] = f"{part['decision']['score']} (threshold {part['decision']['threshold']})"
        told["reasons"] = []
        for one in part.get("reasons", []):
            told["reasons"].append(f"{one['rank']}. {one['code']} {one['text']} ({pairs(one['observed'])})")
        told["counterfactuals"] = [part["counterfactuals"]["status"]]
        for one in part["counterfactuals"]["items"]:
            told["counterfactuals"].append(f"{one['outcome']}, score {one['score']}: {pairs(one['changes'])}")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        told[OPEN] = "what the disclosed content says: it has a form that this verifier has no words for"
    return told


def pairs(rows: list[dict[str, Any]]) -> str:
    forms = {True: "{feature} {value}", False: "{feature} {from} -> {to}"}
    return ", ".join(forms["value" in row].format_map(row) for row in rows)


def main(arguments: Optional[list[str]] = None) -> int:
    now = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[1])
    parser.add_argument("file")
    parser.add_argument("--key", action="append", required=True, help="a verifier key, VKEY@SIZE, or a file")
    parser.add_argument("--log", metavar="DIRECTORY", help="a published log: checkpoint and tile/")
    parser.add_argument("--with", action="append", default=[], dest="others", help="a checkpoint or proof")
    parser.add_argument("--require-witness", action="store_true", help="a witness must have cosigned")
    parser.add_argument("--now", type=time, default=now, help="another time than this machine's")
    asked = parser.parse_args(arguments)
    try:
        try:
            words = " ".join(read(key).decode() if os.path.isfile(key) else key for key in asked.key)
            keys = [parse_key(vkey) for vkey in words.split()]
        except ValueError as error:
            raise CannotCheck(f"keys: {error}") from error
        with step("file"):
            data, others = read(asked.file), [load(read(path)) for path in asked.others]
        told = check(data, Given(keys, asked.require_witness, asked.log, others, asked.now))
        code, lines = 0, ["PROVED"]
        for name, value in told.items():
            values = value if isinstance(value, list) else [value]
            lines += [f"  {name.replace('_', ' '):<15} {one}" for one in values]
        if not told.get("cosigned by", True):
            lines.append(f"  {OPEN:<15} whether everybody is shown the same log: no witness's key was given")
    except NotProved as error:
        code, lines = 1, [f"NOT PROVED  {error}"]
    except CannotCheck as error:
        code, lines = 2, [f"CANNOT CHECK  {error}"]
    sys.stdout.buffer.write("".join(plain(line) + "\n" for line in lines).encode())
    return code


if __name__ == "__main__":
    sys.exit(main())
