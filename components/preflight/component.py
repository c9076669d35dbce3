"""What a run needs, tried where it runs, before anything costly."""

from kfp import dsl

from earmark.components.images import STEPS_IMAGE


@dsl.component(base_image=STEPS_IMAGE, install_kfp_package=False)
def preflight(pipeline: str, data: str, experiment: str, model: str, run: str) -> None:
    """Try the store, the data and MLflow with this pod's own identity; fails within seconds, with the remedy.

    Args:
        pipeline: name of the pipeline.
        data: where the clips are.
        experiment: the experiment as JSON, "" where a later step makes it.
        model: name of the registered model, "" where none is registered.
        run: the run's id.
    """
    import os

    from earmark.components.adapter import step

    with step("preflight", run, counted=False) as s:
        from earmark.checking.preflight import preflight
        from earmark.config import Experiment
        from earmark.store.runs import Run, begin, now, record_new

        preflight(data, s.progress, sound=pipeline != "probe")
        asked = Experiment.from_json(experiment) if experiment else None
        variants = tuple(variant.name for variant in asked.variants) if asked else ()
        preset = asked.base.preset if asked else ""
        # A run that a schedule started has no record yet.
        kubeflow = os.environ.get("EARMARK_KFP_RUN_ID")
        record_new(s.store, Run(s.run, pipeline, data, model, preset, variants, now(), kubeflow=kubeflow))
        begin(s.store, s.run)
