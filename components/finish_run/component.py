"""How a run ended, told where people look."""

from kfp import dsl

from earmark.components.images import STEPS_IMAGE


@dsl.component(base_image=STEPS_IMAGE, install_kfp_package=False)
def finish_run(run: str, status: dsl.PipelineTaskFinalStatus) -> None:
    """Record the run's end, tell MLflow, and post it to the webhook where there is one.

    Args:
        run: the run's id.
        status: Kubeflow's word on the run; only FAILED in it is believed.
    """
    from earmark.components.adapter import step

    with step("finish_run", run, counted=False) as s:
        from earmark.checking.lines import HURRY
        from earmark.environment import changed_environment
        from earmark.notification.finish import finish_run
        from earmark.store import open_store

        with changed_environment(**HURRY):
            finish_run(open_store(), s.run, status.state, status.error_message or "", s.progress)
