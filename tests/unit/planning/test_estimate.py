from dataclasses import replace

import pytest
from made_rates import NETWORKS, RATES

from earmark.architectures import compare_request
from earmark.errors import UserError
from earmark.planning import Cluster, Corpus, estimate
from earmark.planning.cost import Prices, bottleneck, duration, number, size
from earmark.planning.stated import with_stated_gpu

AUDIO_SET = Corpus(2_080_000, 10.0, 527)
ALONE = Cluster(2)


def planned(corpus=AUDIO_SET, patch=None, cluster=ALONE, rates=RATES, networks=NETWORKS, preset="modern"):
    experiment = compare_request(preset, {"train": {"steps": 1000}, **(patch or {})}, networks)
    return estimate(corpus, experiment, rates, cluster)


def seconds(plan, title, part=None):
    row = next(row for row in plan.rows if row.title == title)
    return row.seconds if part is None else row.parts[part]


def test_audio_set_has_the_sizes_that_are_known_of_it():
    sizes = planned(preset="paper").sizes
    assert sizes.patches == pytest.approx(20.8e6)
    assert sizes.patches * 96 * 64 == pytest.approx(128e9, rel=0.005)
    assert AUDIO_SET.clips * AUDIO_SET.seconds / 3600 == pytest.approx(5780, rel=0.001)
    # Whole clips are stored, the 38 frames after the last patch too.
    assert sizes.frame_bytes == 2_080_000 * 998 * 64
    assert sizes.shards == pytest.approx(sizes.frame_bytes / 32e6, rel=0.01)
    # The last patch filled up: eleven of them.
    assert planned().sizes.clip_bytes == 11 * 96 * 64


def test_splits_follow_the_config():
    sizes = planned(patch={"data": {"test_share": 0.1, "validation_share": 0.1}}).sizes
    assert (sizes.test_clips, sizes.validation_clips, sizes.train_clips) == (208_000, 187_200, 1_684_800)
    assert planned(patch={"data": {"balanced_test": 33}}).sizes.test_clips == 33 * 527


def test_twice_the_clips_take_twice_the_time_beyond_what_a_step_takes_of_anything():
    # Some of both, so that rounding to clips and shards does not count.
    once, twice = planned(), planned(replace(AUDIO_SET, clips=2 * AUDIO_SET.clips))
    for one, two in zip(once.rows, twice.rows, strict=True):
        fixed = one.parts["itself"]
        if one.step != "train_model":
            assert two.seconds - fixed <= 2.001 * (one.seconds - fixed), one.title
        if one.step not in ("train_model", "register_model"):  # a number of steps, 4,096 patches
            assert two.seconds - fixed == pytest.approx(2 * (one.seconds - fixed), rel=1e-3), one.title
        assert two.seconds >= one.seconds, one.title
        assert two.memory >= one.memory, one.title
        assert two.written >= one.written, one.title
        assert min(two.requests) >= 0, one.title
        assert two.requests.reads >= one.requests.reads, one.title


def test_training_is_linear_in_steps():
    one, two = (planned(patch={"train": {"steps": steps}}) for steps in (1000, 3000))
    assert seconds(one, "train_model.alexnet", "steps") == pytest.approx(1000 * 128 / 200)
    assert seconds(two, "train_model.alexnet", "steps") == pytest.approx(3000 * 128 / 200)
    assert seconds(one, "train_model.alexnet", "validation") == seconds(two, "train_model.alexnet", "validation")
    # An epoch is every patch of the training clips once.
    epoch = planned(patch={"train": {"epochs": 1}})
    patches = epoch.sizes.train_clips * 11
    assert seconds(epoch, "train_model.alexnet", "steps") == pytest.approx(patches / 200, rel=1e-4)


def test_pods_share_the_extraction_and_gpus_the_training():
    one, many = planned(), planned(cluster=Cluster(2, pods=16))
    assert seconds(many, "extract_part", "decode") == pytest.approx(seconds(one, "extract_part", "decode") / 16)
    assert seconds(many, "train_model.alexnet") == seconds(one, "train_model.alexnet")
    gpu = with_stated_gpu(RATES, NETWORKS)
    one, eight = (planned(cluster=Cluster(2, gpus=gpus), rates=gpu) for gpus in (1, 8))
    ratio = seconds(one, "train_model.alexnet", "steps") / seconds(eight, "train_model.alexnet", "steps")
    assert ratio == pytest.approx(8 * 0.9)
    assert "stated, not measured" in gpu.source


def test_costs_are_those_of_the_given_prices_alone():
    plan = planned(cluster=Cluster(2, pods=16, gpus=1), rates=with_stated_gpu(RATES, NETWORKS))
    train, extract = (next(row for row in plan.rows if row.step == step) for step in ("train_model", "extract_part"))
    assert not Prices().known
    assert Prices(gpu_hour=3.0).of(train) == pytest.approx(3.0 * train.seconds / 3600)
    assert Prices(core_hour=0.05).of(extract) == pytest.approx(0.05 * 16 * 2 * extract.seconds / 3600)
    assert Prices(thousand_reads=0.4).of(extract) == pytest.approx(0.4e-3 * extract.requests.reads)
    assert Prices(gb_month=0.02).month(plan) == pytest.approx(0.02e-9 * plan.written)


def test_the_bottleneck_is_named_with_what_would_change_it():
    shares = {"test_share": 0.5, "validation_share": 0.001}
    experiment = compare_request("modern", {"train": {"steps": 10}, "data": shares}, NETWORKS)
    plan = estimate(AUDIO_SET, experiment, RATES, Cluster(2))
    told = bottleneck(plan, experiment)
    assert told[0].startswith("evaluate_model.fully_connected takes")
    assert "data.balanced_test" in told[0]
    assert "with 2 pods" in told[1]


def test_figures_are_short():
    assert [duration(s) for s in (3.21, 600, 9000, 400_000, 4e7)] == [
        "3.21 s",
        "10 min",
        "2.5 h",
        "4.63 days",
        "463 days",
    ]
    assert [size(b) for b in (0, 71_500, 17.8e6, 132.9e9, 2.4e15)] == ["0 kB", "71.5 kB", "17.8 MB", "133 GB", "2.4 PB"]
    assert [number(n) for n in (812, 45_300, 140e6, 20e9)] == ["812", "45.3 k", "140 M", "20 G"]


@pytest.mark.parametrize(
    ("corpus", "patch", "told"),
    [
        (Corpus(3, 10.0, 2), {"data": {"test_share": 0.0}}, "to test"),
        (AUDIO_SET, {"train": {"minutes": 5}}, "give --steps or --epochs"),
        (AUDIO_SET, {"architecture": {"width": 0.5}}, "width 1.*width 0.5"),
        (Corpus(1000, 0.5, 2), {"features": {"tail": "drop"}}, "shorter than a patch"),
    ],
)
def test_what_cannot_be_planned_is_refused_with_the_remedy(corpus, patch, told):
    with pytest.raises(UserError, match=told):
        planned(corpus, patch)
    with pytest.raises(UserError, match=r"networks\.vgg"):
        planned(networks=("vgg",))
    with pytest.raises(UserError, match="none is stated for vggish"):
        with_stated_gpu(RATES, ["vggish"])
