"""The registered model on a sound of any length."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from earmark.errors import UserError
from earmark.evaluation.windows import FRAMES_PER_SECOND
from earmark.features import PATCH_FRAMES, FrameMaker, SoundBlocks
from earmark.tagging.tags import Scale, Tag

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from earmark.evaluation import Model

WINDOW_SECONDS = PATCH_FRAMES / FRAMES_PER_SECOND


@dataclass(frozen=True)
class Span:
    """A part of a sound, or all of it, and what is heard there."""

    start_s: float
    end_s: float
    tags: list[Tag]
    """Every label, in the model's order."""
    whole: bool = False
    """Whether this is the clip itself."""


def tag_sound(
    model: Model,
    sound: SoundBlocks,
    timeline_hop: float | None = None,
    threshold: float | None = None,
    live: bool = False,
    watch: Callable[[float], None] = lambda _: None,
) -> Iterator[Span]:
    """The timeline's windows as they are ready, and at last the clip.

    Args:
        model: the network.
        sound: decoded here, block by block.
        timeline_hop: seconds between windows of 0.96 s; None for the clip alone.
        threshold: one for all labels in place of the model's.
        live: score each window as soon as its sound has come.
        watch: told how many seconds of sound are done.

    Raises:
        UserError: the model has no labels.
        DecodeError: the sound cannot be decoded, has no samples, or (where the model does not pad) not enough.
    """
    from earmark.tagging.scorer import Scorer, Windows

    if not model.labels:
        raise UserError(
            "this model has no labels, it gives embeddings: use `earmark embed`, or train one that starts from it "
            "(train.init_from)"
        )
    scale, maker = Scale(model, threshold), FrameMaker(model.features, sound.rate)
    scorer = Scorer(model, timeline_hop, at_once=1) if live else Scorer(model, timeline_hop)

    def spans(windows: Windows) -> Iterator[Span]:
        for start, scores_C in zip(windows.starts_P.tolist(), windows.scores_PC, strict=True):
            start_s = start / FRAMES_PER_SECOND
            yield _span(scale, start_s, min(start_s + WINDOW_SECONDS, max(maker.seconds, start_s)), scores_C)

    for samples_NC in sound.blocks:
        yield from spans(scorer.add(maker.add(samples_NC)))
        watch(maker.seconds)
    last = maker.end()
    yield from spans(scorer.add(last))
    yield from spans(scorer.end())
    yield _span(scale, 0.0, maker.seconds, scorer.scores_C, whole=True)


def _span(scale: Scale, start_s: float, end_s: float, scores_C: NDArray[np.float32], whole: bool = False) -> Span:
    return Span(round(start_s, 3), round(end_s, 3), scale.tags(scores_C), whole)


@contextmanager
def spooled(stream: BinaryIO) -> Iterator[Path]:
    """A file with all the bytes of a stream, for decoders that go back and forth; removed afterwards."""
    with tempfile.NamedTemporaryFile(prefix="earmark-") as file:
        shutil.copyfileobj(stream, file)
        file.flush()
        yield Path(file.name)
