"""Variants as a pipeline: each trained and scored alike, compared, the best one registered where a model is named.

The paper's Tables 2, 3 and 4 and any list of variants are this one graph.
"""

from typing import List  # noqa: UP035  (KFP reads the annotation and knows typing.List)

from earmark.pipelines.steps import compare_and_register, find_patches


def over_variants(data: str, experiment: str, variants: List[str], model: str, run: str) -> None:  # noqa: UP006
    """Variants compared on one dataset, from clips to a registered model.

    Args:
        data: folder of the clips.
        experiment: base config and variants as canonical JSON.
        variants: names of the variants, in the experiment's order.
        model: name of the registered model; "" registers nothing.
        run: id that groups this run's results and MLflow runs.
    """
    found = find_patches(data, experiment, run)
    compare_and_register(found, experiment, variants, model, run)
