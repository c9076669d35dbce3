"""Scores by pieces are those of the whole clip."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from earmark.evaluation import score_clip
from earmark.evaluation.model import score_windows
from earmark.features import patch_starts
from earmark.tagging.scorer import Grid, Scorer


def scored(model, frames_TF, cuts=(), **options):
    scorer = Scorer(model, **options)
    windows = [scorer.add(piece) for piece in np.split(frames_TF, cuts)]
    windows.append(scorer.end())
    starts, scores = zip(*windows, strict=True)
    return scorer.scores_C, np.concatenate(starts), np.concatenate(scores)


@pytest.mark.parametrize("hop", [0.24, 0.96])
@pytest.mark.parametrize("silent_share", [0.0, 0.8, 1.0])
def test_a_long_clip_by_pieces_has_the_scores_of_score_clip(model_of, long_frames, hop, silent_share):
    model = model_of(hop, silent_share)
    scores_C, _, _ = scored(model, long_frames, range(37, len(long_frames), 301))
    assert np.allclose(scores_C, score_clip(model, long_frames).scores_C, atol=1e-6, rtol=0)


def test_silence_before_the_first_sound_does_not_count(model, long_frames):
    silence = np.zeros((3000, 64), np.uint8)
    frames_TF = np.concatenate([silence, long_frames[:480], silence])
    scores_C, _, _ = scored(model, frames_TF, range(100, len(frames_TF), 250))
    assert np.allclose(scores_C, score_clip(model, frames_TF).scores_C, atol=1e-6, rtol=0)


def test_a_silent_clip_has_the_scores_of_all_its_windows(model):
    silence = np.zeros((2000, 64), np.uint8)
    scores_C, _, _ = scored(model, silence, range(100, 2000, 250))
    assert np.allclose(scores_C, score_clip(model, silence).scores_C, atol=1e-6, rtol=0)


@pytest.mark.parametrize("hop", [0.1, 0.24, 0.96, 2.5])
def test_windows_of_a_timeline_have_the_very_scores_of_their_patches(model, long_frames, hop):
    clip_C, starts_P, scores_PC = scored(model, long_frames, [700, 701, 1500], timeline_hop=hop)
    expected_P = patch_starts(len(long_frames), hop)
    assert starts_P.tolist() == expected_P.tolist()
    assert np.allclose(scores_PC, score_windows(model, long_frames, expected_P)[0], atol=1e-6, rtol=0)
    assert np.array_equal(clip_C, scored(model, long_frames, [700, 701, 1500])[0]) or np.allclose(
        clip_C, scored(model, long_frames)[0], atol=1e-6, rtol=0
    )


@settings(max_examples=60)
@given(
    rows=st.integers(96, 3000),
    hop=st.floats(0.01, 5.0),
    cuts=st.lists(st.integers(0, 3000), max_size=5),
)
def test_a_grid_that_grows_has_the_windows_of_the_whole(rows, hop, cuts):
    grid = Grid(hop)
    found = [grid.take(min(cut, rows), ended=False) for cut in sorted(cuts)]
    found.append(grid.take(rows, ended=True))
    assert np.concatenate(found).tolist() == patch_starts(rows, hop).tolist()


def test_what_is_kept_does_not_grow_with_the_clip(model, long_frames):
    scorer, kept = Scorer(model, timeline_hop=0.5), []
    for piece in np.split(np.tile(long_frames, (4, 1)), range(200, 4 * len(long_frames), 200)):
        scorer.add(piece)
        kept.append(len(scorer._frames_TF))
    assert max(kept) < 2000


def test_a_window_is_scored_as_soon_as_its_sound_has_come(model, long_frames):
    scorer = Scorer(model, timeline_hop=0.96, at_once=1)
    assert len(scorer.add(long_frames[:95]).starts_P) == 0
    assert scorer.add(long_frames[95:96]).starts_P.tolist() == [0]
    assert scorer.add(long_frames[96:288]).starts_P.tolist() == [96, 192]
