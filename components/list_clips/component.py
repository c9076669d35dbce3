"""What sounds a folder holds, without labels."""

from typing import List  # noqa: UP035  (KFP reads the annotation and knows typing.List)

from kfp import dsl

from earmark.components.images import STEPS_IMAGE


@dsl.component(base_image=STEPS_IMAGE, install_kfp_package=False)
def list_clips(data: str, run: str, catalog: dsl.Output[dsl.Artifact]) -> List[str]:  # noqa: UP006
    """Read paths, headers and byte digests of all audio files; nothing is decoded.

    Args:
        data: folder of the sounds.
        run: the run's id.
        catalog: the clips, without labels.

    Returns:
        The partitions in which features are extracted, ``1/3`` to ``3/3``.
    """
    from earmark.components.adapter import step

    with step("list_clips", run) as s:
        from earmark.catalog import list_clips
        from earmark.features import partitions

        found = list_clips(s.store, data, s.progress)
        parts = partitions(found.facts["clips"])
        s.write(catalog, found)
    return parts
