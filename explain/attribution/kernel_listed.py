"""The compiled kernel's last resort: leaves without a table, summed over the reference's patterns."""

from __future__ import annotations

import numpy as np

from explain.attribution.compiling import compiled
from explain.attribution.structures import Listed, Reals, Words

WORD = 32


@compiled
def add_listed(listed: Listed, tree: int, ranks: Words, phi: Reals) -> None:
    """Add the contributions of a tree's listed leaves."""
    for leaf in range(listed.offsets[tree], listed.offsets[tree + 1]):
        slots = listed.slot_at[leaf + 1] - listed.slot_at[leaf]
        mine = violated_words(listed, leaf, slots, ranks)
        add_patterns(listed, leaf, slots, mine, phi)


@compiled
def violated_words(listed: Listed, leaf: int, slots: int, ranks: Words) -> Words:
    """Return the explained row's mask of violated slots at a listed leaf."""
    words = np.zeros((slots + WORD - 1) // WORD, np.uint32)
    for step in range(listed.step_at[leaf], listed.step_at[leaf + 1]):
        if (ranks[listed.step_column[step]] >= listed.step_cut[step]) != listed.step_right[step]:
            slot = np.int64(listed.step_slot[step])
            words[slot >> 5] |= np.uint32(1 << (slot & 31))
    return words


@compiled
def bit_at(words: Words, slot: int) -> int:
    """Return a slot's bit in a mask of several words."""
    return int((np.int64(words[slot >> 5]) >> (slot & 31)) & 1)


@compiled
def ones_in(words: Words) -> int:
    """Return how many slots are violated in a mask of several words."""
    ones = 0
    for word in words:
        left = np.int64(word)
        while left:
            left &= left - 1
            ones += 1
    return ones


@compiled
def add_patterns(listed: Listed, leaf: int, slots: int, mine: Words, phi: Reals) -> None:
    """Add one listed leaf's contributions for a row with this mask."""
    slot_at, length = listed.slot_at[leaf], len(mine)
    b = ones_in(mine)
    lost = 0.0
    for at in range(listed.pattern_at[leaf], listed.pattern_at[leaf + 1], length + 1):
        theirs = listed.patterns[at : at + length]
        shared = np.uint32(0)
        for w in range(length):
            shared |= mine[w] & theirs[w]
        if shared:
            continue
        a = ones_in(theirs)
        value = listed.value[leaf] * listed.patterns[at + length]
        lost += value * listed.weights[b, a]
        for s in range(slots):
            if bit_at(theirs, s):
                phi[listed.slot_feature[slot_at + s]] += value * listed.weights[a, b]
    for s in range(slots):
        if bit_at(mine, s):
            phi[listed.slot_feature[slot_at + s]] -= lost
