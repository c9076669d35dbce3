"""From encoded audio to stored log-mel frames and patches. Knows no labels and no network."""

from earmark.config import FeatureSpec
from earmark.features.clip import ClipFacts, clip_key, frames_of, frames_of_segments, frames_of_sound
from earmark.features.decode import DecodeError, Sound, decode
from earmark.features.extract import extract_features
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

__all__ = [
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
    "frame_blocks",
    "frame_count",
    "frames_of",
    "frames_of_segments",
    "frames_of_sound",
    "log_mel",
    "mel_matrix",
    "open_blocks",
    "padded_samples",
    "patch_count",
    "patch_starts",
    "patches",
    "quantise",
    "raw_blocks",
    "silent_frames",
]
