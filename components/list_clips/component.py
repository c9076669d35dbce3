"""What sounds a folder holds, without labels."""

from kfp import dsl

from earmark.components.images import STEPS_IMAGE


@dsl.component(base_image=STEPS_IMAGE, install_kfp_package=False)
def list_clips(data: str, run: str, catalog: dsl.Output[dsl.Artifact]) -> None:
    """Read paths, headers and byte digests of all audio files; nothing is decoded.

    Args:
        data: folder of the sounds.
        run: the run's id.
        catalog: the clips, without labels.
    """
    from earmark.components.adapter import step

    with step("list_clips", run) as s:
        from earmark.catalog import list_clips

        s.write(catalog, list_clips(s.store, data, s.progress))
