"""What a folder or CSV of labelled sound claims to hold."""

from typing import List  # noqa: UP035  (KFP reads the annotation and knows typing.List)

from kfp import dsl

from earmark.components.images import STEPS_IMAGE


@dsl.component(base_image=STEPS_IMAGE, install_kfp_package=False)
def build_catalog(data: str, experiment: str, run: str, catalog: dsl.Output[dsl.Artifact]) -> List[str]:  # noqa: UP006
    """Read paths, labels, headers and byte digests of all clips; nothing is decoded.

    Args:
        data: folder of the data, or a CSV in it.
        experiment: the experiment as JSON.
        run: the run's id.
        catalog: what each clip claims to be.

    Returns:
        The partitions in which features are extracted, ``1/3`` to ``3/3``.
    """
    from earmark.components.adapter import step

    with step("build_catalog", run) as s:
        from earmark.catalog import build_catalog
        from earmark.features import partitions
        from earmark.registry import check_protected

        config = s.config(experiment)
        found = build_catalog(s.store, data, config.data, s.progress)
        check_protected(found.facts["labels"], config.gate)
        parts = partitions(found.facts["clips"])
        s.write(catalog, found)
    return parts
