"""New sounds to a better champion: stops early where there is nothing new, and leaves the decision to the gate."""

from kfp import dsl

from earmark.components.build_catalog import build_catalog
from earmark.components.find_news import find_news
from earmark.components.plan_retraining import plan_retraining
from earmark.pipelines.placement import place
from earmark.pipelines.steps import Found, compare_and_register, extract


def retrain(data: str, asked: str, model: str, run: str, force: bool = False) -> None:
    """The champion trained anew on new sounds, and replaced if that is better.

    Args:
        data: folder of the clips.
        asked: what is to be otherwise than with the champion, as JSON (``earmark.registry.Asked``).
        model: name of the registered model.
        run: id that groups this run's results and MLflow runs.
        force: train even if nothing is new.
    """
    plan = place(plan_retraining(asked=asked, model=model, run=run), "data")
    experiment = plan.outputs["experiment"]
    listed = place(build_catalog(data=data, experiment=experiment, run=run), "data")
    catalog = listed.outputs["catalog"]
    news = place(find_news(catalog=catalog, model=model, run=run, force=force), "data")

    with dsl.If(news.outputs["Output"] == "train"):
        patches = extract(listed, experiment, run)
        compare_and_register(Found(catalog, patches), experiment, plan.outputs["variants"], model, run)
