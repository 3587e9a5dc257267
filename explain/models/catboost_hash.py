"""The number by which CatBoost knows a category: the low half of the CityHash64 of its text.

Model files keep these numbers and not the texts. The function is CityHash version 1 (Pike and Alakuijala,
Google, 2011): a length class each for up to 16, 32 and 64 bytes, and a loop over 64-byte chunks beyond.
"""

from __future__ import annotations

from collections.abc import Callable

WORD = 2**64 - 1
K0, K1, K2, K3 = 0xC3A5C85C97CB3127, 0xB492B66FBE98F273, 0x9AE16A3B2F90404F, 0xC949D7C7509E6557
K_PAIR = 0x9DDFEA08EB382D69

Read = Callable[[int], int]
Pair = tuple[int, int]


def category_hash(text: str) -> int:
    """Return the signed 32-bit number that stands for a category in a model file."""
    low = city_hash(text.encode("utf-8", "surrogatepass")) & 0xFFFFFFFF
    return low - 2**32 if low >= 2**31 else low


def city_hash(data: bytes) -> int:
    """Return the 64-bit CityHash of some bytes."""
    length = len(data)

    def word(at: int) -> int:
        """The eight bytes from `at` on, counted from the end where negative, little end first."""
        start = at if at >= 0 else length + at
        return int.from_bytes(data[start : start + 8], "little")

    if length <= 16:
        return _up_to_16(data, word)
    if length <= 32:
        return _up_to_32(word, length)
    if length <= 64:
        return _up_to_64(word, length)
    return _longer(word, length)


def _turn(number: int, by: int) -> int:
    """Rotate 64 bits to the right."""
    number &= WORD
    return (number >> by | number << (64 - by)) & WORD


def _fold(number: int) -> int:
    number &= WORD
    return number ^ number >> 47


def _pair(first: int, second: int) -> int:
    """Bring 128 bits down to 64."""
    second &= WORD
    mixed = _fold((first & WORD ^ second) * K_PAIR)
    return _fold((second ^ mixed) * K_PAIR) * K_PAIR & WORD


def _up_to_16(data: bytes, word: Read) -> int:
    length = len(data)
    if length > 8:
        last = word(-8)
        return _pair(word(0), _turn(last + length, length)) ^ last
    if length >= 4:
        first, last = (int.from_bytes(part, "little") for part in (data[:4], data[-4:]))
        return _pair(length + (first << 3), last)
    if length > 0:
        front = data[0] + (data[length >> 1] << 8)
        back = length + (data[-1] << 2)
        return _fold(front * K2 & WORD ^ back * K3 & WORD) * K2 & WORD
    return K2


def _up_to_32(word: Read, length: int) -> int:
    a, b = word(0) * K1, word(8)
    c, d = word(-8) * K2, word(-16) * K0
    return _pair(_turn(a - b, 43) + _turn(c, 30) + d, a + _turn(b ^ K3, 20) - c + length)


def _up_to_64(word: Read, length: int) -> int:
    front = _half(word(0) + (length + word(-16)) * K0, word(8), word(16), word(24))
    back = _half(word(16) + word(-32), word(-24), word(-16), word(-8))
    mixed = _fold((front[0] + back[1]) * K2 + (back[0] + front[1]) * K0)
    return _fold(mixed * K0 + front[1]) * K2 & WORD


def _half(a: int, b: int, c: int, last: int) -> Pair:
    """Mix four words of one half of up to 64 bytes."""
    turned, twice = _turn(a + last, 52), _turn(a, 37)
    a += b
    twice += _turn(a, 7)
    a += c
    return a + last, turned + _turn(a, 31) + twice


def _chunk(word: Read, at: int, seeds: Pair) -> Pair:
    """Mix the 32 bytes from `at` on with two seeds."""
    a = seeds[0] + word(at)
    b = _turn(seeds[1] + a + word(at + 24), 21)
    start = a
    a += word(at + 8) + word(at + 16)
    b += _turn(a, 44)
    return (a + word(at + 24)) & WORD, (b + start) & WORD


def _longer(word: Read, length: int) -> int:
    """Mix the last 64 bytes first, then chunk by chunk from the start."""
    x, y, z = word(0), word(-16) ^ K1, word(length - 56) ^ K0
    v = _chunk(word, length - 64, (length, y))
    w = _chunk(word, length - 32, (length * K1, K0))
    z += _fold(v[1]) * K1
    x = _turn(z + x, 39) * K1 & WORD
    y = _turn(y, 33) * K1 & WORD
    for at in range(0, (length - 1) // 64 * 64, 64):
        x = _turn(x + y + v[0] + word(at + 16), 37) * K1 & WORD
        y = _turn(y + v[1] + word(at + 48), 42) * K1 & WORD
        x ^= w[1]
        y ^= v[0]
        z = _turn(z & WORD ^ w[0], 33)
        v = _chunk(word, at, (v[1] * K1, x + w[0]))
        w = _chunk(word, at + 32, (z + w[1], y))
        x, z = z, x
    return _pair(_pair(v[0], w[0]) + _fold(y) * K1 + z, _pair(v[1], w[1]) + x)
