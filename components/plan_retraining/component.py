"""Which experiment the retraining of today's champion is."""

from typing import List, NamedTuple  # noqa: UP035  (KFP reads the annotation and knows typing.List)

from kfp import dsl

from earmark.components.images import STEPS_IMAGE


@dsl.component(base_image=STEPS_IMAGE, install_kfp_package=False)
def plan_retraining(asked: str, model: str, run: str) -> NamedTuple(  # type: ignore[valid-type]
    "Plan",
    [("experiment", str), ("variants", List[str])],  # noqa: UP006
):
    """Lay what was asked over the config of the model's champion, as it is now.

    Args:
        asked: what is to be otherwise than with the champion, as JSON.
        model: name of the registered model.
        run: the run's id.

    Returns:
        Base config and variants as canonical JSON, and the variants' names in its order.
    """
    from earmark.components.adapter import step

    with step("plan_retraining", run) as s:
        from dataclasses import replace

        from earmark.registry import Asked, find_champion, plan_retraining
        from earmark.store.runs import read_run, record

        champion = find_champion(model)
        experiment = plan_retraining(champion, Asked.from_json(asked))
        variants = [variant.name for variant in experiment.variants]
        recorded = read_run(s.store, s.run)
        # The record of a run that a schedule started could not say yet what it trains.
        if recorded is not None and not recorded.variants:
            record(s.store, replace(recorded, preset=experiment.base.preset, variants=tuple(variants)))
        s.progress.note(f"{', '.join(variants)} after version {champion.version} of {model}")
    return (experiment.to_json(), variants)
