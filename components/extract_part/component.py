"""Log-mel frames of a share of the clips, each decoded once."""

from kfp import dsl

from earmark.components.images import STEPS_IMAGE


@dsl.component(base_image=STEPS_IMAGE, install_kfp_package=False)
def extract_part(
    catalog: dsl.Input[dsl.Artifact],
    experiment: str,
    part: str,
    run: str,
    extracted: dsl.Output[dsl.Artifact],
) -> None:
    """Decode a partition's share of the clips that have no frames yet, store their frames and their facts.

    Args:
        catalog: what each clip claims to be.
        experiment: the experiment as JSON.
        part: this partition and how many there are: ``1/3``.
        run: the run's id.
        extracted: the shards of this share.
    """
    from earmark.components.adapter import step

    number, _, of = part.partition("/")
    with step("extract_part", run, number) as s:
        from earmark.config import Experiment
        from earmark.features import extract_part

        config, clips = Experiment.from_json(experiment).base, s.read(catalog)
        made = extract_part(s.store, clips, config.features, config.data, int(number), int(of), s.progress)
        s.write(extracted, made)
