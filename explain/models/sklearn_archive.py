"""The zip file of a skops artifact: how large it is first, then its members, then its arrays.

skops writes one `schema.json` and one `.npy` file per array. Its own reader decompresses whatever is there,
and numpy allocates whatever a header declares; here nothing is read before it is known to be small.
"""

from __future__ import annotations

import io
import math
import re
import struct
import zipfile
import zlib

import numpy as np
from numpy.typing import NDArray

from explain.errors import ModelCorrupt, ModelUnsupported

SCHEMA = "schema.json"
MEMBER_LIMIT = 65_534  # beyond it zip files have another layout
TOTAL_LIMIT = 1 << 30
SCHEMA_LIMIT = 64 << 20
RATIO_LIMIT = 64  # trees of real models compress three- to twentyfold
RATIO_FREE = 8 << 20  # what a small file may hold whatever its ratio
ENTRY_LIMIT = 256  # bytes of the directory per member; skops needs 66
MEMBER_NAME = re.compile(r"[0-9]{1,20}\.npy|schema\.json")
DIMENSIONS = 3

_HEADER = re.compile(
    rb"\{'descr': ('[<|][a-zA-Z][0-9]{1,4}'|\[[ -~]{1,800}\]), 'fortran_order': False, "
    rb"'shape': \(((?:[0-9]{1,10}(?:,|(?:, [0-9]{1,10}){1,7}))?)\), \} *\n"
)
_SIMPLE = re.compile(r"'((?:<[iuf][248])|(?:\|[biu]1)|(?:<f2)|(?:<U[1-9][0-9]{0,3}))'")

TREE_NODE = np.dtype(
    [
        ("left_child", "<i8"),
        ("right_child", "<i8"),
        ("feature", "<i8"),
        ("threshold", "<f8"),
        ("impurity", "<f8"),
        ("n_node_samples", "<i8"),
        ("weighted_n_node_samples", "<f8"),
        ("missing_go_to_left", "|u1"),
        ("padding", "|V7"),
    ]
)
HISTOGRAM_NODE = np.dtype(
    [
        ("value", "<f8"),
        ("count", "<u4"),
        ("feature_idx", "<i8"),
        ("num_threshold", "<f8"),
        ("missing_go_to_left", "|u1"),
        ("left", "<u4"),
        ("right", "<u4"),
        ("gain", "<f8"),
        ("depth", "<u4"),
        ("is_leaf", "|u1"),
        ("bin_threshold", "|u1"),
        ("is_categorical", "|u1"),
        ("bitset_idx", "<u4"),
    ]
)
_RECORDS = {str(record.descr).replace("'padding'", "''"): record for record in (TREE_NODE, HISTOGRAM_NODE)}
_ZIP_FAULTS = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    NotImplementedError,
    OSError,
    OverflowError,
    RuntimeError,
    ValueError,
)


class Archive:
    """The members of a skops file, each read when asked for."""

    def __init__(self, artifact: bytes) -> None:
        _check_directory(artifact)
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(artifact))
        except _ZIP_FAULTS as fault:
            raise ModelCorrupt(f"not a zip file: {fault}") from None
        self._members = _members(self._zip, len(artifact))
        total = sum(info.file_size for info in self._members.values())
        self._left = 2 * total + RATIO_FREE  # bytes: each member is read to be checked, and to be handed on

    def read(self, name: str) -> bytes:
        """Return the bytes of a member; its declared size is all that is ever decompressed."""
        if name not in self._members:
            raise ModelCorrupt(f"the file has no member {name[:40]!r}")
        self._left -= self._members[name].file_size
        if self._left < 0:
            raise ModelCorrupt("the schema names the same arrays again and again")
        try:
            return self._zip.read(self._members[name])
        except _ZIP_FAULTS as fault:
            raise ModelCorrupt(f"member {name}: {fault}") from None

    def array(self, name: str) -> NDArray[np.generic]:
        """Return the array of a `.npy` member, read-only and without a copy."""
        return read_array(self.read(name), name)


def _check_directory(artifact: bytes) -> None:
    """Look at the end record before any entry is read: a directory of millions of entries costs memory."""
    if artifact[:4] != b"PK\x03\x04":
        raise ModelUnsupported("a file format other than skops")
    end = artifact[-22:]
    if len(end) < 22 or end[:4] != b"PK\x05\x06":
        raise ModelCorrupt("the zip file does not end as it should")
    disk, first_disk, here, count, size, offset, comment = struct.unpack("<4H2LH", end[4:])
    if disk or first_disk or comment or here != count or offset + size + 22 != len(artifact):
        raise ModelCorrupt("the zip file's end record does not fit the file")
    if count > MEMBER_LIMIT:
        raise ModelUnsupported(f"a file of more than {MEMBER_LIMIT} arrays")
    if size > count * ENTRY_LIMIT:
        raise ModelCorrupt("the zip file's directory is larger than its entries")


def _members(archive: zipfile.ZipFile, artifact_size: int) -> dict[str, zipfile.ZipInfo]:
    """Check names, methods and sizes of all members."""
    members: dict[str, zipfile.ZipInfo] = {}
    for info in archive.infolist():
        if info.filename in members:
            raise ModelCorrupt(f"the zip file holds {info.filename[:40]!r} twice")
        if not MEMBER_NAME.fullmatch(info.filename):
            raise ModelUnsupported(f"member {info.filename[:40]!r} in the file")
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) or info.flag_bits & 1:
            raise ModelUnsupported("a zip file that is encrypted or compressed by other means than deflate")
        members[info.filename] = info
    total = sum(info.file_size for info in members.values())
    if total > min(TOTAL_LIMIT, max(RATIO_FREE, RATIO_LIMIT * artifact_size)):
        raise ModelCorrupt(f"the zip file of {artifact_size} bytes would unpack to {total}")
    if SCHEMA not in members:
        raise ModelUnsupported("a zip file without schema.json")
    if members[SCHEMA].file_size > SCHEMA_LIMIT:
        raise ModelUnsupported(f"a schema of more than {SCHEMA_LIMIT} bytes")
    return members


def read_array(raw: bytes, name: str) -> NDArray[np.generic]:
    """Read one array in numpy's format, version 1.0; the header is matched, never evaluated.

    The declared shape must be exactly what the bytes hold, so a header of 10^9 entries allocates nothing.
    Only plain numbers, text of fixed length and scikit-learn's two node records are read.
    """
    if raw[:8] != b"\x93NUMPY\x01\x00":
        raise ModelCorrupt(f"member {name} is no array")
    start = 10 + int.from_bytes(raw[8:10], "little")
    header = _HEADER.fullmatch(raw[10:start])
    if header is None:
        raise ModelUnsupported(f"the array header of member {name}")
    dtype = _dtype(header[1].decode("ascii"))
    shape = tuple(int(size) for size in header[2].decode("ascii").split(",") if size)
    if len(shape) > DIMENSIONS:
        raise ModelUnsupported(f"an array of {len(shape)} dimensions")
    count = math.prod(shape)
    if count * dtype.itemsize != len(raw) - start:
        raise ModelCorrupt(f"member {name} declares {count * dtype.itemsize} bytes, has {len(raw) - start}")
    if count == 0:
        return np.zeros(shape, dtype=dtype)
    array = np.frombuffer(raw, dtype=dtype, offset=start).reshape(shape)
    if dtype.kind == "b" and np.any(array.view(np.uint8) > 1):
        raise ModelCorrupt(f"member {name} holds something other than true and false")
    if dtype.kind == "U" and np.any(np.frombuffer(raw, dtype="<u4", offset=start) > 0x10FFFF):
        raise ModelCorrupt(f"member {name} holds something other than text")
    return array


def _dtype(text: str) -> np.dtype[np.generic]:
    simple = _SIMPLE.fullmatch(text)
    if simple:
        return np.dtype(simple[1])
    if text not in _RECORDS:
        raise ModelUnsupported(f"an array of {text[:60]}")
    return _RECORDS[text]


def pack(members: dict[str, bytes]) -> bytes:
    """Write members into a new zip file."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    return buffer.getvalue()
