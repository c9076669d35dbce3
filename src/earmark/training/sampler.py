"""Which patches make batch k: a pure function of (seed, k), with no state to keep and no buffer to fill.

The patches of an epoch are taken in the order of a keyed permutation of their numbers; a number belongs to a patch by
the order of the clips (by digest), so how shards happen to lie changes nothing. Resuming needs one integer, the step.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from earmark.features import PATCH_FRAMES

FEISTEL_ROUNDS = 6
# Random streams of one step: independent by the top word of Philox's counter.
STREAM_OFFSETS, STREAM_AUGMENT, STREAM_TORCH = range(3)

I64 = npt.NDArray[np.int64]
U64 = npt.NDArray[np.uint64]


def step_generator(seed: int, step: int, stream: int) -> np.random.Generator:
    """Random numbers of one step: the same on any device and however often training was resumed."""
    key = np.array([seed % 2**64, step], dtype=np.uint64)
    return np.random.Generator(np.random.Philox(key=key, counter=[0, 0, 0, stream]))


def permute(index_N: I64, size: int, seed: int, epoch: int) -> I64:
    """Where a keyed permutation of ``0..size-1`` takes each index: a Feistel network with cycle walking.

    It costs no memory, whatever ``size``; another seed or epoch is another permutation.
    """
    half_bits = max(1, ((size - 1).bit_length() + 1) // 2)
    keys = step_generator(seed, epoch, stream=2**32).integers(0, 2**63, FEISTEL_ROUNDS, dtype=np.uint64)
    walked = index_N.astype(np.uint64)
    outside = np.ones(len(walked), dtype=bool)
    while outside.any():
        walked[outside] = _feistel(walked[outside], half_bits, keys)
        outside = walked >= size
    return walked.astype(np.int64)


def _feistel(value_N: U64, half_bits: int, keys: U64) -> U64:
    bits, mask = np.uint64(half_bits), np.uint64(2**half_bits - 1)
    left, right = value_N >> bits, value_N & mask
    for key in keys:
        left, right = right, left ^ (_mix(right ^ key) & mask)
    return (left << bits) | right


def _mix(value_N: U64) -> U64:
    """SplitMix64's finaliser: every output bit depends on every input bit."""
    value_N = (value_N ^ (value_N >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value_N = (value_N ^ (value_N >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value_N ^ (value_N >> np.uint64(31))


@dataclass(frozen=True)
class Patches:
    """The eligible patches, clip after clip (K clips); patch p begins at a frame in ``range(low_P[p], high_P[p])``."""

    clip_P: I64
    low_P: I64
    high_P: I64
    eligible_S: npt.NDArray[np.bool_] | None
    """Of every start of every clip, whether a patch may begin there; None where all do."""
    first_start_K: I64
    """Where a clip's starts begin in ``eligible_S``."""
    times_P: I64 | None = None
    """How often each patch counts; None where all count once."""

    def __len__(self) -> int:
        return len(self.clip_P)

    @cached_property
    def _turns_until(self) -> I64 | None:
        return None if self.times_P is None else np.cumsum(self.times_P)

    @property
    def turns(self) -> int:
        """How many draws an epoch has: each patch as often as it counts."""
        return len(self) if self._turns_until is None else int(self._turns_until[-1])

    def of_turns(self, turn_B: I64) -> I64:
        """Which patch each of an epoch's draws (0 to ``turns`` - 1) is."""
        if self._turns_until is None:
            return turn_B
        return np.searchsorted(self._turns_until, turn_B, side="right")


def eligible_patches(rows_K: I64, sound_S: npt.NDArray[np.bool_] | None, random_offset: bool) -> Patches:
    """The patches that training draws from.

    A clip of n whole patches counts n times. On the grid its patch p begins at frame 96 p; with random offsets it
    begins anywhere in the p-th of n equal parts of all the clip's starts, so that all starts are equally likely.

    Args:
        rows_K: frames of each clip, at least 96.
        sound_S: of every frame at which a patch may begin, clip after clip, whether the patch has sound enough; others
            are left out where the clip has any such. It becomes the result's own. None takes every patch.
        random_offset: anywhere in the clip instead of on the grid.
    """
    count_K = rows_K // PATCH_FRAMES
    starts_K = rows_K - PATCH_FRAMES + 1
    clip_P = np.repeat(np.arange(len(rows_K)), count_K)
    number_P = np.arange(len(clip_P)) - (np.cumsum(count_K) - count_K)[clip_P]
    if random_offset:
        low_P = number_P * starts_K[clip_P] // count_K[clip_P]
        high_P = (number_P + 1) * starts_K[clip_P] // count_K[clip_P]
    else:
        low_P = number_P * PATCH_FRAMES
        high_P = low_P + 1
    first_start_K = np.cumsum(starts_K) - starts_K
    if sound_S is None:
        return Patches(clip_P, low_P, high_P, None, first_start_K)
    first_P = first_start_K[clip_P] + low_P
    # The parts of random offsets follow one another without a gap, so each ends where the next begins.
    keep_P = np.logical_or.reduceat(sound_S, first_P) if random_offset else sound_S[first_P]
    mute_K = np.bincount(clip_P[keep_P], minlength=len(rows_K)) == 0
    for clip in np.flatnonzero(mute_K):
        sound_S[first_start_K[clip] : first_start_K[clip] + starts_K[clip]] = True
    keep_P |= mute_K[clip_P]
    return Patches(clip_P[keep_P], low_P[keep_P], high_P[keep_P], sound_S, first_start_K)


def balanced(patches: Patches, labels_K: Sequence[Sequence[int]], n_labels: int, balance: float, seed: int) -> Patches:
    """Patches of rare labels counted more often.

    A patch counts (n_max / n)^``balance`` times, n of its clip's rarest label and n_max of the most frequent label (in
    patches): at 1 labels are drawn alike often, at 0 as they come. Whether a fractional part counts as one more is
    settled for each patch by a hash, so the mean is right.

    Args:
        patches: the eligible patches, each counting once.
        labels_K: labels of each clip.
        n_labels: how many labels there are.
        balance: 0 to 1.
        seed: of the hash.
    """
    patches_K = np.bincount(patches.clip_P, minlength=len(labels_K))
    count_C = np.zeros(n_labels)
    for labels, count in zip(labels_K, patches_K, strict=True):
        count_C[list(labels)] += count
    # A clip without a label counts as one of the most frequent.
    rarest_K = np.array([min((count_C[c] for c in labels), default=count_C.max()) for labels in labels_K])
    weight_P = (count_C.max() / rarest_K[patches.clip_P]) ** balance
    key = step_generator(seed, 0, stream=2**32 + 1).integers(0, 2**63, dtype=np.uint64)
    chance_P = _mix(np.arange(len(patches), dtype=np.uint64) ^ key) / 2**64
    return replace(patches, times_P=(weight_P + chance_P).astype(np.int64))


@dataclass(frozen=True)
class Sampler:
    """Batches of patches: uniform over the eligible ones, each as often an epoch as it counts."""

    patches: Patches
    batch_size: int
    seed: int

    def batch(self, step: int) -> tuple[I64, I64]:
        """Clip numbers and first frames (both (B,)) of the batch of a step."""
        size = self.patches.turns
        position_B = step * self.batch_size + np.arange(self.batch_size)
        turn_B = np.empty(self.batch_size, dtype=np.int64)
        for epoch in range(int(position_B[0]) // size, int(position_B[-1]) // size + 1):
            inside = position_B // size == epoch
            turn_B[inside] = permute(position_B[inside] % size, size, self.seed, epoch)
        patch_B = self.patches.of_turns(turn_B)
        draw_B = step_generator(self.seed, step, STREAM_OFFSETS).random(self.batch_size)
        return self.patches.clip_P[patch_B], self._starts(patch_B, draw_B)

    def _starts(self, patch_B: I64, draw_B: npt.NDArray[np.float64]) -> I64:
        low_B, high_B = self.patches.low_P[patch_B], self.patches.high_P[patch_B]
        if self.patches.eligible_S is None:
            return low_B + (draw_B * (high_B - low_B)).astype(np.int64)
        base_B = self.patches.first_start_K[self.patches.clip_P[patch_B]]
        start_B = np.empty_like(low_B)
        for i, (base, low, high) in enumerate(zip(base_B, low_B, high_B, strict=True)):
            choices = np.flatnonzero(self.patches.eligible_S[base + low : base + high])
            start_B[i] = low + choices[int(draw_B[i] * len(choices))]
        return start_B
