"""Log-mel frames of every clip, decoded once."""

from typing import List  # noqa: UP035  (KFP reads the annotation and knows typing.List)

from kfp import dsl

from earmark.components.images import STEPS_IMAGE


@dsl.component(base_image=STEPS_IMAGE, install_kfp_package=False)
def extract_features(
    catalog: dsl.Input[dsl.Artifact],
    parts: dsl.Input[List[dsl.Artifact]],  # noqa: UP006
    experiment: str,
    run: str,
    patches: dsl.Output[dsl.Artifact],
) -> None:
    """Join what the partitions extracted; decode what none of them has.

    Args:
        catalog: what each clip claims to be.
        parts: the shards of each partition.
        experiment: the experiment as JSON.
        run: the run's id.
        patches: shards of frames, their index, and what decoding found.
    """
    from earmark.components.adapter import step

    with step("extract_features", run) as s:
        from earmark.features import extract_features

        for part in parts:
            s.read(part)  # what it names is there, or this step says which
        config = s.config(experiment)
        s.write(patches, extract_features(s.store, s.read(catalog), config.features, config.data, s.progress))
