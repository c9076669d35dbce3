"""The experiment as one frozen tree. The text under each field is its documentation; units are in the names."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

BUDGETS = ("steps", "epochs", "minutes")
"""Fields of ``train`` of which one says how long to train."""

Share = Annotated[float, Field(ge=0.0, le=1.0)]


class Part(BaseModel):
    """A part of the tree: frozen, unknown keys refused, field docs taken from the text below each field."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)


class FeatureSpec(Part):
    """How sound becomes stored log-mel frames. Travels with every model; inference reads it, never a flag."""

    sample_rate_hz: Literal[16000] = 16000
    """Rate to which every clip is resampled (VGGish's front end is defined at 16 kHz)."""
    resampler: Literal["soxr_hq", "soxr_vhq"] = "soxr_hq"
    """Resampler; HQ is within 0.014 log-mel units of an ideal filter, evenly over all bands."""
    tail: Literal["pad", "drop"] = "pad"
    """What happens to the last incomplete patch: zero-pad the waveform (as YAMNet) or drop it (as VGGish)."""
    storage: Literal["uint8", "float16", "float32"] = "uint8"
    """Stored precision; uint8 is linear over [log 0.01, 6], half a step is 0.021 log units."""


class DataConfig(Part):
    """How clips are read, and how a catalog becomes a dataset."""

    form: str = "auto"
    """The form in which the data is published: folders, csv, jsonl, audioset, fsd50k, esc50, urbansound8k, … (`earmark
    data forms`). auto takes the first that recognises it."""
    add_parents: bool = False
    """Give each clip the ancestors of its labels too, where the data has an ontology; abstract ones stay out."""
    test_folds: tuple[str, ...] = ()
    """Folds that are the test set, where the data names folds; empty means the last fold by name."""
    validation_folds: tuple[str, ...] = ()
    """Folds that are the validation part; all others but the test set are trained on. Empty cuts a share from train."""
    make_folds: int | None = Field(default=None, ge=2)
    """Make this many folds, called 1, 2, …, where the data names neither folds nor splits: each label's clips spread
    evenly, groups whole, order by hash."""
    test_share: Share = 0.2
    """Share of groups (one a label at least) that go to test, by hash, where the data names neither split nor fold."""
    validation_share: Share = 0.15
    """Share (one at least) of each label's training groups that are the validation part, where the data names none."""
    balanced_test: int | None = Field(default=None, ge=1)
    """Keep about so many test clips of each label, chosen by hash (the paper: 33); other test clips are not used."""
    balanced_cap: float = Field(default=3.0, ge=1.0)
    """Where clips have several labels: no label may have more than so many times balanced_test of the chosen clips, as
    far as other labels can do without them."""
    all_test: bool = False
    """Every clip is test, whatever splits the data names: to score a model that is there. Nothing can be trained so."""
    max_rejected_share: Share = 0.05
    """Above this share of clips that had to be left out, the step stops."""
    silence_dbfs: float = -90.0
    """A clip whose peak stays below this level, in dB of full scale, is silent and left out."""
    clipped_share: Share = 0.01
    """A clip with more than this share of samples at full scale is reported as clipped (and kept)."""


class HeadConfig(Part):
    """What makes scores of embeddings."""

    kind: Literal["linear", "dense", "neighbours"] = "linear"
    """linear is the paper's output layer; dense puts hidden layers before it; neighbours lets the nearest training
    clips vote (nothing is trained)."""
    layers: int = Field(default=2, ge=1)
    """Hidden layers of a dense head."""
    units: int = Field(default=1000, ge=1)
    """Units of each hidden layer at width 1."""
    neighbours: int = Field(default=5, ge=1)
    """How many of the nearest training clips vote."""
    stored_clips: int = Field(default=0, ge=0)
    """Training clips that a neighbours head holds; set when it is fitted."""


class ArchitectureConfig(Part):
    """One network. ``options`` are the network's own (see ``earmark architectures``)."""

    name: str = "resnet50"
    """fully_connected, alexnet, vgg, inception_v3, resnet50, or vggish."""
    width: float = Field(default=1.0, gt=0.0, le=4.0)
    """Scales channels and dense units; 1.0 is the paper."""
    bottleneck: int | None = Field(default=None, ge=1)
    """Size of an extra linear layer before the output (the paper's is 128); it becomes the embedding. vggish
    has one of 128 in any case."""
    dropout: float = Field(default=0.0, ge=0.0, lt=1.0)
    """Dropout before the output layer and between wide dense layers; the paper used none."""
    head: HeadConfig = HeadConfig()
    """What follows the embedding."""
    options: dict[str, str | int | float | bool] = Field(default_factory=dict)
    """Options of the network, e.g. final_pool for alexnet, stem for inception_v3, version for resnet50."""


class AugmentConfig(Part):
    """What training does to a batch; every part is off at zero, and all are off outside training."""

    random_offset: bool = False
    """Take each patch at any frame of its clip instead of on the fixed grid."""
    gain_db: float = Field(default=0.0, ge=0.0)
    """Gain drawn uniformly from ± this many dB."""
    time_shift_frames: int = Field(default=0, ge=0, le=95)
    """Patches turned in time by up to this many frames either way; what leaves at one end comes in at the other."""
    time_stretch: float = Field(default=0.0, ge=0.0, lt=1.0)
    """Time run faster or slower by up to this share, as when sounds are made at another pace."""
    mel_stretch: float = Field(default=0.0, ge=0.0, lt=1.0)
    """Mel axis spread or squeezed by up to this share."""
    mel_shift_bands: float = Field(default=0.0, ge=0.0, le=63.0)
    """Mel axis moved by up to this many bands either way, as when a source is larger or smaller."""
    equaliser_db: float = Field(default=0.0, ge=0.0)
    """Random smooth equaliser of up to ± this many dB, as of another microphone or room."""
    mix_alpha: float = Field(default=0.0, ge=0.0)
    """Mixing of pairs in the power domain with weight from Beta(alpha, alpha); labels mix alike."""
    mix_equal_power: bool = False
    """Bring both sounds of a mix to the same power first, so that a label's share is its sound's share."""
    time_masks: int = Field(default=0, ge=0)
    """Number of masks over time (SpecAugment)."""
    time_mask_frames: int = Field(default=0, ge=0, le=95)
    """Longest time mask, in frames of 10 ms."""
    mel_masks: int = Field(default=0, ge=0)
    """Number of masks over mel bands (SpecAugment)."""
    mel_mask_bands: int = Field(default=0, ge=0, le=63)
    """Widest band mask, in mel bands."""


class TrainConfig(Part):
    """One training run. One unit of time everywhere: the optimiser step."""

    steps: int | None = Field(default=None, ge=1)
    """Optimiser steps. One of steps, epochs and minutes must be given where the preset has none; it replaces the
    preset's."""
    epochs: float | None = Field(default=None, gt=0.0)
    """In place of steps: how often each eligible patch is drawn, rounded up to whole batches."""
    minutes: float | None = Field(default=None, gt=0.0)
    """In place of steps: about how long training takes, validation counted. The first start measures a few steps, fixes
    the number of steps that fits and keeps it in the checkpoint: a resumed run has the same schedule, and another
    machine that starts anew has another one."""
    labels: int | None = Field(default=None, ge=2)
    """Learn the so many most frequent labels (by training clips) alone, from the clips that carry one of them. None
    learns all."""
    clip_share: float = Field(default=1.0, gt=0.0, le=1.0)
    """Learn from this share of the training clips, every label among them; smaller shares are parts of larger ones."""
    clips_per_label: int | None = Field(default=None, ge=1)
    """In place of clip_share: about so many training clips of each label (at least, where clips have several); fewer
    are parts of more."""
    batch_size: int = Field(default=128, ge=1)
    """Patches in a batch, drawn uniformly from all eligible patches."""
    balance: Share = 0.0
    """Draw rare labels more often: a clip's patches count (n_max / n)^balance times, n of its rarest label. At 1 all
    labels are drawn alike often, at 0 as often as they occur."""
    resident_share: Share = 0.5
    """Share of a GPU's free memory that the training frames may take; they stay there if they fit. 0 never keeps them.
    """
    micro_batch_size: int | None = Field(default=None, ge=1)
    """Patches that go through the network at once on each process, where the whole batch does not fit; their gradients
    are added up. Without batch norm the result is the same up to rounding; batch norm sees the micro-batch only, so its
    statistics are noisier: keep 16 or more. None takes all of the process's part of the batch at once."""
    init_from: str | None = None
    """A trained network to start from: the folder of a model's package (weights.safetensors, model.json), or a
    registered model, models:/NAME@champion or models:/NAME/3. Architecture, width and features must be the same; the
    head comes along where the labels are the same in the same order."""
    freeze_stages: Annotated[int, Field(ge=0)] | Literal["all"] = 0
    """How many of the first stages keep the weights of init_from: little data then trains fewer weights. all trains the
    head alone, on embeddings that are computed once."""
    optimiser: Literal["adam", "adamw"] = "adam"
    """Adam as in the paper, or AdamW with decay off for norms and biases."""
    learning_rate: float = Field(default=1e-4, gt=0.0)
    """Peak learning rate."""
    adam_epsilon: float = Field(default=1e-8, gt=0.0)
    """Adam's epsilon (VGGish: 1e-8)."""
    weight_decay: float = Field(default=0.0, ge=0.0)
    """Decoupled weight decay; only with adamw."""
    warmup_share: Share = 0.0
    """Share of the steps over which the rate rises linearly from zero."""
    schedule: Literal["constant", "late_drop", "cosine"] = "late_drop"
    """late_drop divides the rate by `drop_factor` at `drop_at` of the run (the paper: 13 of 17 M steps)."""
    drop_at: Share = 13 / 17
    """Where late_drop drops, as a share of the steps."""
    drop_factor: float = Field(default=10.0, gt=1.0)
    """What late_drop divides the rate by."""
    loss: Literal["auto", "sigmoid", "softmax"] = "sigmoid"
    """Cross-entropy of sigmoids (each label for itself, as in the paper) or of a softmax (exactly one label a clip).
    auto takes softmax where every clip of the catalog has one label."""
    label_smoothing: float = Field(default=0.0, ge=0.0, lt=1.0)
    """Moves targets by this share towards 0.5 (sigmoid) or towards equal shares of all labels (softmax)."""
    prior_bias: bool = False
    """Start the output biases at the log-odds of the labels' shares."""
    ema_share: Share = 0.0
    """Share of the run's steps over which the weights are averaged (exponentially, decay 1 - 1 / (share × steps)); the
    average is what is validated and shipped, since it is less noisy than the last weights. 0 ships the weights."""
    max_silent_share: Share = 1.0
    """Skip patches with more than this share of digitally silent frames, where the clip has others."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """auto measures both for a moment at the first start and keeps the faster in the checkpoint."""
    compile: Literal["auto", "on", "off"] = "auto"
    """Compile the network with torch.compile: auto does on a GPU where the run is long enough to earn it. What was
    chosen is kept in the checkpoint, so a resumed run computes alike."""
    validate_every_share: float = Field(default=0.1, gt=0.0, le=1.0)
    """Score the validation part after each such share of the steps."""
    select: Literal["last", "best"] = "last"
    """Which weights are shipped: those after the last step, or those of the best validation point (by mAP, then
    accuracy, then the later one)."""
    deterministic: bool = False
    """Only kernels that give the same bits every time, slower on a GPU; on a CPU the same number of threads gives the
    same bits anyway. Nothing is measured then: precision auto is fp32, and minutes are refused."""
    checkpoint_every_seconds: float = Field(default=20.0, ge=0.0)
    """Seconds between checkpoints; one is always written at the end."""
    keep_checkpoints: int = Field(default=2, ge=1)
    """How many of the latest checkpoints stay."""
    max_restarts: int = Field(default=3, ge=0)
    """How often a worker that was killed is started again from its checkpoint."""
    resume_from: str | None = None
    """Folder of a checkpoint (…/checkpoints/step-00000400, of any store or copied) to go on from where the run has none
    as new of its own; it must be of the same config and data."""
    chance_after_steps: int | None = Field(default=200, ge=1)
    """Warn once if by this step the loss is still that of saying how often each label comes; None never does."""

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        given = [f"train.{name}" for name in BUDGETS if getattr(self, name) is not None]
        if len(given) > 1:
            raise ValueError(f"{' and '.join(given)} are both given: give one of them")
        if self.clips_per_label is not None and self.clip_share < 1.0:
            raise ValueError("train.clip_share and train.clips_per_label are both given: give one of them")
        if self.freeze_stages == "all" and self.init_from is None:
            raise ValueError("train.freeze_stages is all, and train.init_from names no network whose stages these are")
        if self.deterministic and self.minutes is not None:
            raise ValueError(
                "train.minutes says a number of steps that is measured and train.deterministic wants the same every "
                "time: give train.steps or train.epochs"
            )
        return self

    @property
    def has_budget(self) -> bool:
        """Whether it is said how long to train."""
        return any(getattr(self, name) is not None for name in BUDGETS)


class EvaluateConfig(Part):
    """How clips are scored and how sure the scores are."""

    hop_seconds: float = Field(default=0.96, gt=0.0, le=0.96)
    """Distance between the patches of a clip; below 0.96 they overlap."""
    max_silent_share: Share = 1.0
    """Skip patches with more than this share of digitally silent frames, where the clip has others."""
    labels: int | None = Field(default=None, ge=1)
    """Count only the so many most frequent labels (by training clips) in the scores, and only clips that carry one of
    them: networks that learned different labels are then compared on the same. None counts all that were learned."""
    bootstrap_resamples: int = Field(default=1000, ge=100)
    """Resamples of the clips behind each interval."""
    confidence: float = Field(default=0.95, gt=0.0, lt=1.0)
    """Coverage of the intervals."""


class GateConfig(Part):
    """When a new version takes the champion's place. Both are scored on the same clips, which neither learned from."""

    margin: float = Field(default=0.0, ge=0.0, le=1.0)
    """By how much mAP the challenger must be better. 0: as good is enough, since it knows the newer data."""
    tolerance: float = Field(default=0.02, ge=0.0, le=1.0)
    """How much mAP may be lost at worst: the lower end of the difference's interval must not be below minus this. At 0
    two equal networks stay undecided on any number of clips."""
    confidence: float = Field(default=0.9, gt=0.0, lt=1.0)
    """Coverage of the difference's interval; only its lower end protects, so 0.9 errs once in twenty."""
    protected: tuple[str, ...] = ()
    """Labels that must not get worse: a loss of average precision above the tolerance refuses, whatever the mAP."""
    min_positives: int = Field(default=10, ge=1)
    """Clips that a protected label needs among those scored: with fewer, one clip decides, and it is only reported."""


class CalibrationConfig(Part):
    """How scores become probabilities, and from which one on a label counts as heard. Fitted on the validation part."""

    method: Literal["auto", "none", "temperature", "platt"] = "auto"
    """auto takes the simplest of none, temperature and platt that is not beaten in cross-validation. temperature is one
    number for all labels; platt a slope and an offset for each label with enough clips (only for sigmoids)."""
    threshold: Literal["f1", "precision"] = "f1"
    """Threshold of each label: that of the best F1, or the lowest that reaches a precision."""
    precision: Share = 0.9
    """The precision that is wanted where threshold is precision."""


class Config(Part):
    """The whole experiment of one network."""

    preset: str = "modern"
    """The preset this tree started from."""
    seed: int = Field(default=0, ge=0)
    """Everything random is a function of this number."""
    features: FeatureSpec = FeatureSpec()
    data: DataConfig = DataConfig()
    architecture: ArchitectureConfig = ArchitectureConfig()
    augment: AugmentConfig = AugmentConfig()
    train: TrainConfig = TrainConfig()
    evaluate: EvaluateConfig = EvaluateConfig()
    calibration: CalibrationConfig = CalibrationConfig()
    gate: GateConfig = GateConfig()
