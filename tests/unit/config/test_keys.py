"""A result's key changes with everything it depends on, and with nothing else."""

from earmark.config import make_config, result_key

BASE = make_config("quick")


def key(step="train_model", epoch=1, inputs=("a", "b"), patch=None, seed=0):
    config = make_config("quick", patch or {})
    return result_key(step, epoch, inputs, {"train": config.train}, seed)


def test_equal_inputs_give_equal_keys():
    assert key() == key()


def test_each_input_changes_the_key():
    changed = [
        key(step="other"),
        key(epoch=2),
        key(inputs=("b", "a")),
        key(inputs=("a",)),
        key(patch={"train": {"steps": 7}}),
        key(seed=1),
    ]
    assert len({key(), *changed}) == 1 + len(changed)


def test_a_part_that_is_not_read_does_not():
    assert key() == key(patch={"evaluate": {"hop_seconds": 0.48}})
