"""What a folder or CSV of labelled sound claims to hold."""

from kfp import dsl

from earmark.components.images import STEPS_IMAGE


@dsl.component(base_image=STEPS_IMAGE, install_kfp_package=False)
def build_catalog(data: str, experiment: str, run: str, catalog: dsl.Output[dsl.Artifact]) -> None:
    """Read paths, labels, headers and byte digests of all clips; nothing is decoded.

    Args:
        data: folder of the data, or a CSV in it.
        experiment: the experiment as JSON.
        run: the run's id.
        catalog: what each clip claims to be.
    """
    from earmark.components.adapter import step

    with step("build_catalog", run) as s:
        from earmark.catalog import build_catalog
        from earmark.registry import check_protected

        config = s.config(experiment)
        found = build_catalog(s.store, data, config.data, s.progress)
        check_protected(found.facts["labels"], config.gate)
        s.write(catalog, found)
