"""Log-mel frames of every clip, decoded once."""

from kfp import dsl

from earmark.components.images import STEPS_IMAGE


@dsl.component(base_image=STEPS_IMAGE, install_kfp_package=False)
def extract_features(
    catalog: dsl.Input[dsl.Artifact], experiment: str, run: str, patches: dsl.Output[dsl.Artifact]
) -> None:
    """Decode each clip that has no frames yet, store its frames and its facts.

    Args:
        catalog: what each clip claims to be.
        experiment: the experiment as JSON.
        run: the run's id.
        patches: shards of frames, their index, and what decoding found.
    """
    from earmark.components.adapter import step

    with step("extract_features", run) as s:
        from earmark.features import extract_features

        config = s.config(experiment)
        s.write(patches, extract_features(s.store, s.read(catalog), config.features, config.data, s.progress))
