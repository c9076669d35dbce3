"""From encoded audio to stored log-mel frames and patches. Knows no labels and no network.

Extraction loads pyarrow on first use, 40 MB that inference does without.
"""

from typing import TYPE_CHECKING, Any

from earmark.config import FeatureSpec
from earmark.features.clip import ClipFacts, clip_key, frames_of, frames_of_segments, frames_of_sound
from earmark.features.decode import AUDIO_SUFFIXES, DecodeError, Sound, decode
from earmark.features.frames import FrameStore
from earmark.features.logmel import log_mel, mel_matrix, patches
from earmark.features.quantise import dequantise, quantise, silent_frames
from earmark.features.spec import (
    FLOOR,
    HOP,
    MEL_BANDS,
    PATCH_FRAMES,
    PATCH_SAMPLES,
    SAMPLE_RATE,
    WINDOW,
    frame_count,
    padded_samples,
    patch_count,
    patch_starts,
)
from earmark.features.stream import FrameMaker, SoundBlocks, frame_blocks, open_blocks, raw_blocks

if TYPE_CHECKING:
    from earmark.features.extract import extract_features
    from earmark.features.partition import extract_part, partitions

__all__ = [
    "AUDIO_SUFFIXES",
    "FLOOR",
    "HOP",
    "MEL_BANDS",
    "PATCH_FRAMES",
    "PATCH_SAMPLES",
    "SAMPLE_RATE",
    "WINDOW",
    "ClipFacts",
    "DecodeError",
    "FeatureSpec",
    "FrameMaker",
    "FrameStore",
    "Sound",
    "SoundBlocks",
    "clip_key",
    "decode",
    "dequantise",
    "extract_features",
    "extract_part",
    "frame_blocks",
    "frame_count",
    "frames_of",
    "frames_of_segments",
    "frames_of_sound",
    "log_mel",
    "mel_matrix",
    "open_blocks",
    "padded_samples",
    "partitions",
    "patch_count",
    "patch_starts",
    "patches",
    "quantise",
    "raw_blocks",
    "silent_frames",
]


def __getattr__(name: str) -> Any:
    if name == "extract_features":
        from earmark.features.extract import extract_features

        return extract_features
    if name in ("extract_part", "partitions"):
        from earmark.features import partition

        return getattr(partition, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
