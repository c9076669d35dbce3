"""The figures of a run, from what its steps left in the store."""

import csv
import io

import pytest

from earmark.errors import UserError
from earmark.evaluation import load_model
from earmark.evaluation.figures import figures_of, timeline_files, timeline_of_file


@pytest.fixture(scope="module")
def recorded(chain, checkpoints, metrics):
    """A run in the store, as steps record it."""
    results = {"extract_features": chain.patches, "assemble_dataset": chain.dataset}
    results |= {f"train_model.{name}": each for name, each in checkpoints.items()}
    results |= {f"evaluate_model.{name}": each for name, each in metrics.items()}
    for name, manifest in results.items():
        chain.store.put(f"runs/compare-1/{name}.json", manifest.to_json().encode())
    chain.store.put("runs/compare-1/run.json", b"{}")
    return chain.store


def test_a_run_has_its_labels_curves_and_timelines(recorded, metrics):
    found = figures_of(recorded, "compare-1")
    best = max(metrics.values(), key=lambda m: m.facts["validation"]["map"]).facts["variant"]
    assert found.network == best
    assert [c.label for c in found.classes] == ["baby cry", "chainsaw", "clock tick"]
    assert {n.variant for n in found.networks} == {"alexnet", "fully_connected"}
    assert all(len(n.train_curve) == 4 and len(n.validation_curves["map"]) == 2 for n in found.networks)
    assert all(t.sound.image.startswith("data:image/png") for t in found.timelines)
    files = dict(found.files())
    assert {"prior.svg", "prior.png", "prior.csv", "curves.svg", "curves.png", "curves.csv"} <= set(files)
    assert len(files) == 6 + 3 * len(found.timelines)
    assert all(content for content in files.values())
    assert len(list(csv.DictReader(io.StringIO(files["prior.csv"].decode())))) == 3


def test_another_network_can_be_shown(recorded):
    shown = {name: figures_of(recorded, "compare-1", name) for name in ("alexnet", "fully_connected")}
    one, other = shown.values()
    assert [t.sound.clip for t in one.timelines] == [t.sound.clip for t in other.timelines]
    assert [dict(t.outputs) for t in one.timelines] != [dict(t.outputs) for t in other.timelines]
    with pytest.raises(UserError, match=r"unknown network 'alexnot'.*alexnet"):
        figures_of(recorded, "compare-1", "alexnot")


def test_a_run_without_scores_has_nothing_to_draw(recorded, chain):
    recorded.put("runs/compare-2/assemble_dataset.json", chain.dataset.to_json().encode())
    with pytest.raises(UserError, match="has scored no network"):
        figures_of(recorded, "compare-2")


def test_a_file_is_drawn_with_the_true_times_beside_it(chain, checkpoints, three_labels, tmp_path):
    model = load_model(chain.store, checkpoints["alexnet"])
    clip = next((three_labels / "audio").iterdir())
    scenes = tmp_path / "scenes"
    scenes.mkdir()
    copy = scenes / clip.name
    copy.write_bytes(clip.read_bytes())
    (tmp_path / "events.csv").write_text(f"scene,label,start_s,end_s\nscenes/{clip.name},clock_tick,1,2\n")
    drawn = timeline_of_file(model, copy)
    assert drawn.spans == {"clock tick": [(1.0, 2.0)]}
    assert list(drawn.truth) == ["clock tick"]
    assert [name.rpartition(".")[2] for name, _ in timeline_files([drawn])] == ["svg", "png", "csv"]
    names = [name for name, _ in timeline_files([drawn, drawn])]
    assert len(set(names)) == 6


def test_what_is_no_sound_is_told(chain, checkpoints, tmp_path):
    model = load_model(chain.store, checkpoints["alexnet"])
    (tmp_path / "a.wav").write_bytes(b"no sound")
    with pytest.raises(UserError, match=r"a\.wav: cannot be decoded"):
        timeline_of_file(model, tmp_path / "a.wav")
    with pytest.raises(UserError, match="cannot read"):
        timeline_of_file(model, tmp_path / "b.wav")
