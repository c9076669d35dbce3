"""Labels, splits and findings: the dataset that training and evaluation read."""

from kfp import dsl

from earmark.components.images import STEPS_IMAGE


@dsl.component(base_image=STEPS_IMAGE, install_kfp_package=False)
def assemble_dataset(
    catalog: dsl.Input[dsl.Artifact],
    patches: dsl.Input[dsl.Artifact],
    experiment: str,
    run: str,
    dataset: dsl.Output[dsl.Artifact],
    variant: str = "",
) -> None:
    """Judge the catalog's claims by what decoding found; cut the splits.

    Args:
        catalog: what each clip claims to be.
        patches: what decoding found.
        experiment: the experiment as JSON.
        run: the run's id.
        dataset: clips with rows, labels and split, and the findings; or the cause why a variant has none.
        variant: whose dataset it is, where variants differ in their data; empty where all share it.
    """
    from earmark.components.adapter import step

    with step("assemble_dataset", run, variant or None, failure=dataset if variant else None) as s:
        from earmark.catalog import assemble_dataset

        config = s.config(experiment)
        s.write(dataset, assemble_dataset(s.store, s.read(catalog), s.read(patches), config.data, s.progress))
