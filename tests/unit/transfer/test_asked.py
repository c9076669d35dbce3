"""What a transfer trains: the variants, and what they have in common."""

import pytest

from earmark.config import ArchitectureConfig, FeatureSpec
from earmark.errors import UserError
from earmark.evaluation.repeat import command
from earmark.transfer import probe_request, transfer_request

SOURCE = {
    "architecture": ArchitectureConfig(width=0.5, bottleneck=64, options={"version": "v1.5"}).model_dump(),
    "features": FeatureSpec(tail="drop").model_dump(),
}


def asked(methods=(), sizes=("5", "all"), freeze=None, patch=None):
    return transfer_request("quick", patch or {}, "models:/base/2", SOURCE, methods, sizes, freeze)


def test_the_dense_model_differs_by_its_input_alone():
    experiment = asked(patch={"architecture": {"head": {"layers": 1, "units": 300}}})
    head = experiment.variant("dense.5").architecture
    short, long = (experiment.variant(f"logmel-{frames}.5").architecture for frames in (20, 96))
    assert (head.name, head.options, head.head.kind) == ("resnet50", {"version": "v1.5"}, "dense")
    assert (head.head.layers, head.head.units, head.width) == (1, 300, 0.5)
    for network, frames in ((short, 20), (long, 96)):
        assert (network.name, network.width, network.bottleneck) == ("fully_connected", 0.5, None)
        assert network.options == {"depth": 1, "units": 300, "context_frames": frames}


def test_all_hear_by_the_networks_features_and_score_the_same_windows():
    experiment = asked()
    configs = [experiment.variant(variant.name) for variant in experiment.variants]
    assert len(configs) == 12
    assert {config.features.tail for config in configs} == {"drop"}
    assert {config.evaluate.hop_seconds for config in configs} == {0.96}
    assert {config.train.clips_per_label for config in configs} == {5, None}
    assert experiment.variant("finetune.5").train.freeze_stages == 3
    assert experiment.variant("linear.5").augment.mix_alpha == 0
    assert experiment.variant("logmel-96.5").train.init_from is None


def test_the_command_asks_for_the_same_again():
    told = command("/d", asked(["finetune", "dense"], ["1", "all"], 2, {"seed": 4, "train": {"steps": 50}}))
    assert told == (
        "earmark run transfer --data /d --preset quick --methods finetune,dense --clips 1,all --from base/2 "
        "--freeze 2 --seed 4 --steps 50"
    )
    told = command("/d", probe_request("quick", {}, ["linear"], ["5"]))
    assert told == "earmark run probe --data /d --preset quick --methods linear --clips 5"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"methods": ["lineer"]}, "linear"),
        ({"methods": ["dense", "dense"]}, "names dense twice"),
        ({"sizes": ["five"]}, "--clips 'five'"),
        ({"methods": ["finetune"], "freeze": 9}, "give 0 to"),
        ({"patch": {"architecture": {"width": 1}}}, "architecture.width follows from the network given by --from"),
        ({"patch": {"train": {"clip_share": 0.5}}}, "train.clip_share follows from --clips"),
        ({"patch": {"train": {"stepz": 5}}}, "steps"),
    ],
)
def test_what_cannot_be_is_named(given, message):
    with pytest.raises(UserError, match=message):
        asked(**given)


def test_published_embeddings_have_no_sound_to_fine_tune_on():
    with pytest.raises(UserError, match="unknown method"):
        probe_request("quick", {}, ["finetune"], [])
