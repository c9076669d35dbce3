"""What training does to a batch: gain, mixing and filtering of sound, warps and masks; pure functions of tensors.

What is random is drawn as a few numbers an example from (seed, step) by numpy, so every device augments alike; the
tensors are changed on the training device. torchaudio's masks draw on the device, so a resumed run on another one would
see other masks; ours are the same intervals for every device.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor

from earmark.config import AugmentConfig
from earmark.features.spec import LOG_OFFSET
from earmark.training.sampler import STREAM_AUGMENT, step_generator

EQUALISER_KNOTS = 5
"""Points of a random equaliser, evenly spaced over the mel bands: about two octaves apart, as rooms colour sound."""


@dataclass(frozen=True)
class Draws:
    """The random numbers of one batch; None where a part is off."""

    shift_B: Tensor | None
    """Frames by which each patch is turned."""
    warp_B22: Tensor | None
    """Of the time and the mel axis, the scale and the offset at which each patch is read."""
    gain_BF: Tensor | None
    """Factors on the magnitude of each band."""
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
    gain_db = random.uniform(-1.0, 1.0, (batch, 1)) * config.gain_db
    partner = random.permutation(batch)
    share = random.beta(config.mix_alpha, config.mix_alpha, batch) if config.mix_alpha > 0 else np.ones(batch)
    time = _intervals(random, batch, config.time_masks, config.time_mask_frames, frames)
    mel = _intervals(random, batch, config.mel_masks, config.mel_mask_bands, bands)
    shift = random.integers(-config.time_shift_frames, config.time_shift_frames + 1, batch)
    unit_B22 = random.uniform(-1.0, 1.0, (batch, 2, 2))
    knots_BK = random.uniform(-1.0, 1.0, (batch, EQUALISER_KNOTS)) * config.equaliser_db
    gain_db = gain_db + _between(knots_BK, bands)
    stretch = np.array([config.time_stretch, config.mel_stretch])
    scale_B2 = (1 + stretch) ** unit_B22[:, :, 0]
    # A squeezed axis has room to move in; the mel axis also moves by whole bands.
    room_B2 = np.abs(1 - scale_B2) * np.array([frames, bands]) / 2 + np.array([0.0, config.mel_shift_bands])
    warp_B22 = np.stack([scale_B2, room_B2 * unit_B22[:, :, 1]], axis=-1)
    mixes = config.mix_alpha > 0
    return Draws(
        shift_B=torch.from_numpy(shift) if config.time_shift_frames else None,
        warp_B22=torch.from_numpy(warp_B22).float() if stretch.any() or config.mel_shift_bands else None,
        gain_BF=torch.from_numpy(10 ** (gain_db / 20)).float() if config.gain_db or config.equaliser_db else None,
        partner_B=torch.from_numpy(partner) if mixes else None,
        share_B=torch.from_numpy(np.maximum(share, 1 - share)).float() if mixes else None,
        time_BM2=torch.from_numpy(time) if time.size and config.time_mask_frames else None,
        mel_BM2=torch.from_numpy(mel) if mel.size and config.mel_mask_bands else None,
    )


def _intervals(random: np.random.Generator, batch: int, masks: int, longest: int, size: int) -> np.ndarray:
    width_BM = random.integers(0, longest + 1, (batch, masks))
    start_BM = (random.random((batch, masks)) * (size - width_BM + 1)).astype(np.int64)
    return np.stack([start_BM, start_BM + width_BM], axis=-1)


def _between(knots_BK: np.ndarray, bands: int) -> np.ndarray:
    """Values at every band on straight lines between evenly spaced knots: (B, F)."""
    place_F = np.linspace(0, knots_BK.shape[1] - 1, bands)
    left_F = np.minimum(place_F.astype(np.int64), knots_BK.shape[1] - 2)
    part_F = place_F - left_F
    curve_BF: np.ndarray = knots_BK[:, left_F] * (1 - part_F) + knots_BK[:, left_F + 1] * part_F
    return curve_BF


def augment(x_BTF: Tensor, y_BC: Tensor, draws: Draws, equal_power: bool = False) -> tuple[Tensor, Tensor]:
    """A batch of log-mel patches and its targets as training sees them."""
    if draws.shift_B is not None:
        x_BTF = turn(x_BTF, draws.shift_B)
    if draws.warp_B22 is not None:
        x_BTF = warp(x_BTF, draws.warp_B22)
    if draws.gain_BF is not None:
        x_BTF = gain(x_BTF, draws.gain_BF)
    if draws.partner_B is not None and draws.share_B is not None:
        y_BC = mix_targets(y_BC, draws.partner_B, draws.share_B)
        x_BTF = mix(x_BTF, draws.partner_B, draws.share_B, equal_power)
    if draws.time_BM2 is not None:
        x_BTF = mask(x_BTF, draws.time_BM2, axis=1)
    if draws.mel_BM2 is not None:
        x_BTF = mask(x_BTF, draws.mel_BM2, axis=2)
    return x_BTF, y_BC


def turn(x_BTF: Tensor, shift_B: Tensor) -> Tensor:
    """Each patch turned in time by its own number of frames."""
    frames = x_BTF.shape[1]
    from_BT = (torch.arange(frames, device=x_BTF.device) - shift_B[:, None]) % frames
    return x_BTF.gather(1, from_BT[:, :, None].expand_as(x_BTF))


def warp(x_BTF: Tensor, warp_B22: Tensor) -> Tensor:
    """Each patch read at scale × place + offset around its middle, on both axes; straight lines between the values.

    What lies outside is mirrored at the edge.
    """
    for axis in (1, 2):
        size = x_BTF.shape[axis]
        place_S = torch.arange(size, device=x_BTF.device) - (size - 1) / 2
        scale_B, offset_B = warp_B22[:, axis - 1, 0], warp_B22[:, axis - 1, 1]
        at_BS = scale_B[:, None] * place_S + offset_B[:, None] + (size - 1) / 2
        at_BS = (size - 1) - ((at_BS % (2 * (size - 1))) - (size - 1)).abs()
        left_BS = at_BS.long().clamp_(max=size - 2)
        part_BS = at_BS - left_BS
        left, part = (t.unsqueeze(3 - axis).expand_as(x_BTF) for t in (left_BS, part_BS))
        x_BTF = torch.lerp(x_BTF.gather(axis, left), x_BTF.gather(axis, left + 1), part)
    return x_BTF


def gain(x_BTF: Tensor, gain_BF: Tensor) -> Tensor:
    """The log-mel of the sound with each band made ``gain_BF`` times as loud; (B, 1) is the same for all bands."""
    return _log(_magnitude(x_BTF) * gain_BF[:, None, :])


def mix(x_BTF: Tensor, partner_B: Tensor, share_B: Tensor, equal_power: bool = False) -> Tensor:
    """The log-mel of each sound mixed with its partner's.

    Unrelated sounds add as power, so m = sqrt(share m1² + (1 - share) m2²) of the mel magnitudes; adding their
    logarithms would be no sound at all. With ``equal_power`` the partner is first brought to the sound's own power.
    """
    power_BTF = _magnitude(x_BTF).square()
    partner_BTF = power_BTF[partner_B]
    if equal_power:
        mean_B = power_BTF.mean((1, 2)).clamp(min=1e-6)
        partner_BTF *= (mean_B / mean_B[partner_B])[:, None, None].clamp(0.01, 100)
    return _log(torch.lerp(partner_BTF, power_BTF, share_B[:, None, None]).sqrt())


def mix_targets(y_BC: Tensor, partner_B: Tensor, share_B: Tensor) -> Tensor:
    """The targets of a mix: each label by its sound's share."""
    return torch.lerp(y_BC[partner_B], y_BC, share_B[:, None])


def mask(x_BTF: Tensor, interval_BM2: Tensor, axis: int) -> Tensor:
    """Stretches of an axis (1 time, 2 mel) replaced by the example's mean, which says nothing of what was there."""
    place_S = torch.arange(x_BTF.shape[axis], device=x_BTF.device)
    inside_BS = ((place_S >= interval_BM2[..., :1]) & (place_S < interval_BM2[..., 1:])).any(dim=1)
    inside = inside_BS[:, :, None] if axis == 1 else inside_BS[:, None, :]
    return torch.where(inside, x_BTF.mean(dim=(1, 2), keepdim=True), x_BTF)


def _magnitude(x_BTF: Tensor) -> Tensor:
    return (x_BTF.exp() - LOG_OFFSET).clamp_(min=0.0)


def _log(magnitude_BTF: Tensor) -> Tensor:
    return magnitude_BTF.add_(LOG_OFFSET).log_()
