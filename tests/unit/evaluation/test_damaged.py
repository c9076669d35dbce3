"""What a step reads is what was written, or the step names what is damaged: nothing else is ever computed from."""

import pytest

from earmark.catalog import assemble_dataset
from earmark.errors import EarmarkError
from earmark.evaluation import evaluate_model
from earmark.store import forget

from .conftest import QUIET

STEPS = ("assemble_dataset", "evaluate_model", "compare_models")


@pytest.fixture(scope="module")
def steps(chain, experiment, checkpoints, metrics, compare):
    """Each step: what it reads, a call that makes its result, and that result."""
    config, checkpoint = experiment.variant("fully_connected"), checkpoints["fully_connected"]
    data = (chain.catalog, chain.patches)

    def assemble():
        return assemble_dataset(chain.store, chain.catalog, chain.patches, experiment.base.data, QUIET)

    def evaluate():
        return evaluate_model(chain.store, checkpoint, chain.dataset, chain.patches, config, QUIET)

    return {
        "assemble_dataset": (data, assemble, chain.dataset),
        "evaluate_model": ((checkpoint, chain.dataset, chain.patches), evaluate, metrics["fully_connected"]),
        "compare_models": ((*metrics.values(), *checkpoints.values(), chain.dataset, *data), compare, compare()),
    }


@pytest.mark.parametrize("step", STEPS)
def test_a_flipped_bit_in_whatever_a_step_reads_is_named_and_never_used(chain, steps, step):
    inputs, make, there = steps[step]
    forget(chain.store, there.step, there.key)
    expected = make()  # other tests may have had torch compute with another number of threads
    told = {}
    for ref in {ref.object: ref for manifest in inputs for ref in manifest.files.values()}.values():
        whole = chain.store.get(ref.object)
        middle = len(whole) // 2
        chain.store.put(ref.object, whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :])
        forget(chain.store, expected.step, expected.key)
        try:
            assert make().digest == expected.digest, f"{ref.object} was damaged and used"
        except EarmarkError as error:
            told[ref.object] = str(error)
        finally:
            chain.store.put(ref.object, whole)
    assert len(told) >= 2
    assert all(key in message and "run the same command again" in message for key, message in told.items()), told
    forget(chain.store, expected.step, expected.key)
    assert make().digest == expected.digest
