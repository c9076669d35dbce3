"""What training does to a batch: gain and mixing of sound as power, and masks; pure functions of tensors.

What is random is drawn as a few numbers an example from (seed, step) by numpy, so every device augments alike; the
tensors are changed on the training device.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor

from earmark.config import AugmentConfig
from earmark.features.spec import LOG_OFFSET
from earmark.training.sampler import STREAM_AUGMENT, step_generator


@dataclass(frozen=True)
class Draws:
    """The random numbers of one batch; None where a part is off."""

    gain_B: Tensor | None
    """Factors on the magnitude."""
    partner_B: Tensor | None
    """Which example of the batch each one is mixed with."""
    share_B: Tensor | None
    """The first example's share of a mix, in [0.5, 1]."""
    time_BM2: Tensor | None
    """First and last + 1 masked frame of each time mask."""
    mel_BM2: Tensor | None
    """First and last + 1 masked band of each mel mask."""

    def to(self, device: torch.device) -> Draws:
        """These numbers on a device."""
        held = {f.name: getattr(self, f.name) for f in fields(self)}
        return Draws(**{name: None if t is None else t.to(device, non_blocking=True) for name, t in held.items()})


def draw(config: AugmentConfig, batch: int, frames: int, bands: int, seed: int, step: int) -> Draws:
    """The random numbers for one batch, a function of (seed, step).

    Gains are uniform in dB; shares come from Beta(alpha, alpha), folded to at least a half (a pair may come in either
    order); a mask's width is uniform from 0 to its longest, its place uniform over where it fits.
    """
    random = step_generator(seed, step, STREAM_AUGMENT)
    gain_db = random.uniform(-1.0, 1.0, batch) * config.gain_db
    partner = random.permutation(batch)
    share = random.beta(config.mix_alpha, config.mix_alpha, batch) if config.mix_alpha > 0 else np.ones(batch)
    time = _intervals(random, batch, config.time_masks, config.time_mask_frames, frames)
    mel = _intervals(random, batch, config.mel_masks, config.mel_mask_bands, bands)
    mixes = config.mix_alpha > 0
    return Draws(
        gain_B=torch.from_numpy(10 ** (gain_db / 20)).float() if config.gain_db > 0 else None,
        partner_B=torch.from_numpy(partner) if mixes else None,
        share_B=torch.from_numpy(np.maximum(share, 1 - share)).float() if mixes else None,
        time_BM2=torch.from_numpy(time) if time.size and config.time_mask_frames else None,
        mel_BM2=torch.from_numpy(mel) if mel.size and config.mel_mask_bands else None,
    )


def _intervals(random: np.random.Generator, batch: int, masks: int, longest: int, size: int) -> np.ndarray:
    width_BM = random.integers(0, longest + 1, (batch, masks))
    start_BM = (random.random((batch, masks)) * (size - width_BM + 1)).astype(np.int64)
    return np.stack([start_BM, start_BM + width_BM], axis=-1)


def augment(x_BTF: Tensor, y_BC: Tensor, draws: Draws) -> tuple[Tensor, Tensor]:
    """A batch of log-mel patches and its targets as training sees them."""
    if draws.gain_B is not None:
        x_BTF = gain(x_BTF, draws.gain_B)
    if draws.partner_B is not None and draws.share_B is not None:
        y_BC = mix_targets(y_BC, draws.partner_B, draws.share_B)
        x_BTF = mix(x_BTF, draws.partner_B, draws.share_B)
    if draws.time_BM2 is not None:
        x_BTF = mask(x_BTF, draws.time_BM2, axis=1)
    if draws.mel_BM2 is not None:
        x_BTF = mask(x_BTF, draws.mel_BM2, axis=2)
    return x_BTF, y_BC


def gain(x_BTF: Tensor, gain_B: Tensor) -> Tensor:
    """The log-mel of the sound made ``gain_B`` times as loud."""
    return _log(_magnitude(x_BTF) * gain_B[:, None, None])


def mix(x_BTF: Tensor, partner_B: Tensor, share_B: Tensor) -> Tensor:
    """The log-mel of each sound mixed with its partner's.

    Unrelated sounds add as power, so m = sqrt(share m1² + (1 - share) m2²) of the mel magnitudes; adding their
    logarithms would be no sound at all.
    """
    power_BTF = _magnitude(x_BTF).square()
    return _log(torch.lerp(power_BTF[partner_B], power_BTF, share_B[:, None, None]).sqrt())


def mix_targets(y_BC: Tensor, partner_B: Tensor, share_B: Tensor) -> Tensor:
    """The targets of a mix: each label by its sound's share."""
    return torch.lerp(y_BC[partner_B], y_BC, share_B[:, None])


def mask(x_BTF: Tensor, interval_BM2: Tensor, axis: int) -> Tensor:
    """Stretches of an axis (1 time, 2 mel) replaced by the example's mean, which says nothing of what was there."""
    place_S = torch.arange(x_BTF.shape[axis], device=x_BTF.device)
    inside_BS = ((place_S >= interval_BM2[..., :1]) & (place_S < interval_BM2[..., 1:])).any(dim=1)
    inside = inside_BS[:, :, None] if axis == 1 else inside_BS[:, None, :]
    return torch.where(inside, x_BTF.mean(dim=(1, 2), keepdim=True), x_BTF)


def smooth(y_BC: Tensor, smoothing: float) -> Tensor:
    """Targets moved towards 0.5 by a share."""
    return y_BC * (1 - smoothing) + 0.5 * smoothing


def _magnitude(x_BTF: Tensor) -> Tensor:
    return (x_BTF.exp() - LOG_OFFSET).clamp_(min=0.0)


def _log(magnitude_BTF: Tensor) -> Tensor:
    return magnitude_BTF.add_(LOG_OFFSET).log_()
