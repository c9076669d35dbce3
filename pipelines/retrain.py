"""New sounds to a better champion: stops early where there is nothing new, and leaves the decision to the gate."""

from typing import List  # noqa: UP035  (KFP reads the annotation and knows typing.List)

from kfp import dsl

from earmark.components.build_catalog import build_catalog
from earmark.components.extract_features import extract_features
from earmark.components.find_news import find_news
from earmark.pipelines.placement import place
from earmark.pipelines.steps import Found, compare_and_register


@dsl.pipeline(name="retrain", description="The champion trained anew on new sounds, and replaced if that is better")
def retrain(data: str, experiment: str, variants: List[str], model: str, run: str, force: bool = False) -> None:  # noqa: UP006
    """Clips to a challenger and the gate's decision, if any clip is new since the champion.

    Args:
        data: folder of the clips.
        experiment: base config and variants as canonical JSON.
        variants: names of the variants, in the experiment's order.
        model: name of the registered model.
        run: id that groups this run's results and MLflow runs.
        force: train even if nothing is new.
    """
    catalog = place(build_catalog(data=data, experiment=experiment, run=run), "data").outputs["catalog"]
    news = place(find_news(catalog=catalog, model=model, run=run, force=force), "data")

    with dsl.If(news.outputs["Output"] == "train"):
        patches = place(extract_features(catalog=catalog, experiment=experiment, run=run), "features").outputs[
            "patches"
        ]
        compare_and_register(Found(catalog, patches), experiment, variants, model, run)
