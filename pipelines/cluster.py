"""A cluster as one YAML file describes it: where its servers are, and what each stage's pods ask for."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from earmark.components.images import STEPS_IMAGE, TRAIN_IMAGE
from earmark.errors import unknown_name
from earmark.pipelines.marked_yaml import Place, read_marked, validate

Stage = Literal["data", "features", "train", "evaluate", "register", "notify"]
STAGES: tuple[Stage, ...] = get_args(Stage)
UNITS = {"": 1, "M": 10**6, "G": 10**9, "T": 10**12, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}
SECRET = re.compile(r"(SECRET|PASSWORD|TOKEN|ACCESS_KEY)(?!.*_FILE$)")
SET_BY = {
    "EARMARK_STORE": "store",
    "EARMARK_GPUS": "profiles.train.gpus",
    "EARMARK_FEATURE_PODS": "profiles.features.pods",
    "EARMARK_PRICE_PER_HOUR": "price_per_hour of the profiles",
    "EARMARK_KFP_RUN_ID": "Kubeflow",
}
"""Variables that a step gets from elsewhere."""


def size_bytes(size: str) -> int:
    """Bytes of a memory quantity: ``2Gi`` is 2147483648."""
    number = size.rstrip("KMGTi")
    return int(number) * UNITS[size[len(number) :]]


def _as_text(value: Any) -> Any:
    """``cpu: 2`` is a number in YAML and a quantity here."""
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def _matching(pattern: str, remedy: str) -> AfterValidator:
    def check(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise ValueError(f"{text!r} {remedy}")
        return text

    return AfterValidator(check)


LABEL = r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)"
PREFIX = r"([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?"
Name = Annotated[
    str, _matching(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", "is no name: write small letters, digits and - only")
]
Cpu = Annotated[
    str,
    BeforeValidator(_as_text),
    _matching(r"(?=.*[1-9])(\d+m|\d*\.?\d+)", "is no CPU quantity: write it as 500m (half a core) or 2 (two cores)"),
]
Size = Annotated[
    str,
    BeforeValidator(_as_text),
    _matching(r"[1-9]\d*(Ki|[MGT]i?)?", "is no size: write it as 512Mi or 8Gi (whole numbers)"),
]
Image = Annotated[
    str,
    _matching(r"\S+/[^\s/]+[:@][^\s/]+", "names no version: write it as registry/name:tag or registry/name@sha256:…"),
]
Bucket = Annotated[
    str, _matching(r"s3://[^/\s]+(/\S+)?", "is no bucket: write it as s3://bucket or s3://bucket/prefix")
]
LabelKey = Annotated[str, _matching(PREFIX + LABEL, "is no label's key: write it as name or example.org/name")]
LabelValue = Annotated[str, _matching(f"{LABEL}?", "is no label's value: at most 63 letters, digits, -, _ and .")]
Variable = Annotated[str, _matching(r"[A-Za-z_]\w*", "is no variable's name: write letters, digits and _ only")]
Price = Annotated[float, Field(ge=0)]


class Part(BaseModel):
    """A part of the file: frozen, unknown fields refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)


class Images(Part):
    """What the steps run in."""

    steps: Image = STEPS_IMAGE
    """Steps that need no network of neurons (data, features, reports)."""
    train: Image = TRAIN_IMAGE
    """Steps that compute with torch."""


class Secret(Part):
    """A Secret whose keys become environment variables of the same names."""

    keys: Annotated[tuple[Variable, ...], Field(min_length=1)]
    """Keys of the Secret."""
    optional: bool = False
    """Whether pods start where the Secret is not there."""


class Toleration(Part):
    """A taint that pods accept, in the words of Kubernetes."""

    key: LabelKey | None = None
    """The taint's key; none with operator Exists means every taint."""
    operator: Literal["Equal", "Exists"] = "Equal"
    """Equal compares the value, Exists does not."""
    value: str | None = None
    """The taint's value."""
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None
    """The effect that is accepted; none means every effect."""

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if self.operator == "Exists" and self.value is not None:
            raise ValueError("operator Exists takes no value: leave value out, or write operator: Equal")
        if self.operator == "Equal" and self.key is None:
            raise ValueError("operator Equal needs a key: give it, or write operator: Exists to accept every taint")
        return self


def _long_form(value: Any) -> Any:
    """A list of keys is short for a Secret that must be there."""
    return {"keys": value} if isinstance(value, list | tuple) else value


class Profile(Part):
    """What the pods of a stage ask for."""

    cpu: Cpu = "200m"
    """CPU that is reserved; there is no limit, so that a step uses what is idle."""
    memory: Size = "2Gi"
    """Memory that is reserved, and the limit; ``shm`` counts in it."""
    gpus: Annotated[int, Field(ge=0, le=64)] = 0
    """GPUs of a pod."""
    gpu_type: LabelKey = "nvidia.com/gpu"
    """The GPUs' resource name, as the device plugin announces it."""
    shm: Size | None = None
    """Size of /dev/shm in memory; Kubernetes gives 64 MB without it."""
    scratch: Size | None = None
    """Most that a step may write to /tmp on the node's disk; no limit without it."""
    node_selector: dict[LabelKey, LabelValue] = Field(default_factory=dict)
    """Labels of the nodes that may take the pods."""
    tolerations: tuple[Toleration, ...] = ()
    """Taints of nodes that the pods accept."""
    timeout_minutes: Annotated[int, Field(ge=1)] = 60
    """A pod that runs longer is ended; counted from its start."""
    retries: Annotated[int, Field(ge=0, le=10)] = 2
    """How often a step is tried again."""
    backoff_seconds: Annotated[int, Field(ge=0)] = 10
    """Pause before the second try; each further one is twice as long."""
    run_as_user: Annotated[int, Field(ge=1)] = 10001
    """User and group of the process; never root."""
    secrets: dict[Name, Annotated[Secret, BeforeValidator(_long_form)]] = Field(default_factory=dict)
    """Secrets as environment variables: name of the Secret, and its keys."""
    pod_labels: dict[LabelKey, LabelValue] = Field(default_factory=dict)
    """Labels of the pods, for a queue or a network policy."""
    price_per_hour: Price | None = None
    """What an hour of such a pod costs, for the report."""
    pods: Annotated[int, Field(ge=1, le=64)] = 1
    """How many work side by side: parts of ``features``, networks of ``train``."""

    @field_validator("shm")
    @classmethod
    def _fits(cls, shm: str | None, given: ValidationInfo) -> str | None:
        memory = given.data.get("memory")
        if shm is not None and memory is not None and size_bytes(shm) >= size_bytes(memory):
            raise ValueError(f"{shm} counts in memory, which is {memory}: make memory larger than it")
        return shm


S3_KEYS = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]
MLFLOW = {"earmark-mlflow": {"keys": ["MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"], "optional": True}}
WEBHOOK = {"earmark-webhook": {"keys": ["EARMARK_WEBHOOK_URL"], "optional": True}}
BUILT_IN: Mapping[str, Mapping[str, Any]] = {
    "data": {"secrets": {"earmark-store-features": S3_KEYS, **MLFLOW}},
    "features": {"secrets": {"earmark-store-features": S3_KEYS}, "timeout_minutes": 240},
    "train": {"secrets": {"earmark-store-trainer": S3_KEYS, **MLFLOW}, "memory": "6Gi", "timeout_minutes": 720},
    "evaluate": {"secrets": {"earmark-store-trainer": S3_KEYS, **MLFLOW}, "memory": "3Gi", "timeout_minutes": 120},
    "register": {"secrets": {"earmark-store-exporter": S3_KEYS, **MLFLOW}, "memory": "4Gi", "timeout_minutes": 120},
    "notify": {
        "secrets": {"earmark-store-exporter": S3_KEYS, **MLFLOW, **WEBHOOK},
        "memory": "1Gi",
        "timeout_minutes": 10,
    },
}
"""What a stage asks for where neither it nor the file's ``default`` says: fits manifests/overlays/local."""


def _unreserved(name: str) -> str:
    if name in SET_BY:
        raise ValueError(f"is set from {SET_BY[name]}: leave it out here")
    if SECRET.search(name):
        raise ValueError("looks like a secret: keep it in a Secret, and name that under secrets of the profiles")
    return name


def _filled(given: Any) -> Any:
    """Every stage's profile: what it says itself, else ``default``, else what is built in."""
    if not isinstance(given, Mapping):
        return given
    default = given.get("default") or {}
    if not isinstance(default, Mapping):
        raise ValueError("default must hold fields, as in `default: {cpu: 500m, memory: 2Gi}`")
    own = {stage: {} if profile is None else profile for stage, profile in given.items() if stage != "default"}
    return {
        stage: {**BUILT_IN.get(stage, {}), **default, **profile} if isinstance(profile, Mapping) else profile
        for stage, profile in ({stage: {} for stage in STAGES} | own).items()
    }


class Cluster(Part):
    """A cluster."""

    namespace: Name = "kubeflow"
    """Where Kubeflow Pipelines runs the steps."""
    service_account: Name = "earmark-runner"
    """Whom the pods run as."""
    images: Images = Images()
    """What the steps run in."""
    store: Bucket = "s3://earmark/store"
    """Where results go."""
    sounds: Bucket = "s3://sounds"
    """Where `earmark submit` uploads a local folder to."""
    environment: dict[Annotated[Variable, AfterValidator(_unreserved)], str] = Field(
        default_factory=lambda: {
            "EARMARK_S3_ENDPOINT": "http://object-store.earmark:9000",
            "MLFLOW_TRACKING_URI": "http://mlflow.earmark:5000",
        }
    )
    """Environment of every pod."""
    deadline_hours: Annotated[float, Field(gt=0, le=8760)] = 24.0
    """A run that takes longer is ended, also where its pod cannot start."""
    profiles: Annotated[dict[Stage, Profile], BeforeValidator(_filled)] = Field(default={}, validate_default=True)
    """What each stage's pods ask for; ``default`` gives what a stage leaves out."""

    def profile(self, stage: str) -> Profile:
        """The profile of a stage.

        Raises:
            UserError: no such stage, with the nearest one.
        """
        if stage not in STAGES:
            raise unknown_name("stage", stage, STAGES)
        return self.profiles[stage]


def read_cluster(path: Path | None = None) -> Cluster:
    """The cluster of a file, of the file that ``EARMARK_CLUSTER`` names, or the built-in one.

    What a stage leaves out it takes from ``profiles.default``, and what that leaves out from the built-in profile.

    Raises:
        UserError: what is wrong, with file, line, field and remedy.
    """
    named = path or (Path(text) if (text := os.environ.get("EARMARK_CLUSTER", "").strip()) else None)
    if named is None:
        return Cluster()
    marked = read_marked(named)

    def origin(place: Place) -> Place:
        """What a stage does not say itself came from ``default``."""
        inherited = place[:1] == ("profiles",) and place[:3] not in marked.lines
        return ("profiles", "default", *place[2:]) if inherited else place

    return validate(Cluster, marked, {} if marked.values is None else marked.values, origin)
