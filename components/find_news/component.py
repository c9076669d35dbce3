"""What a data set has that the champion's does not."""

from kfp import dsl

from earmark.components.images import STEPS_IMAGE


@dsl.component(base_image=STEPS_IMAGE, install_kfp_package=False)
def find_news(
    catalog: dsl.Input[dsl.Artifact], model: str, run: str, force: bool, news: dsl.Output[dsl.Artifact]
) -> str:
    """Compare the catalog's clips with those that the model's champion was made of.

    Args:
        catalog: what each clip claims to be.
        model: name of the registered model.
        run: the run's id.
        force: go on even if nothing is new.
        news: new, changed, removed and relabelled clips.

    Returns:
        ``train``, or ``stop`` where there is nothing new.
    """
    from earmark.components.adapter import step

    with step("find_news", run) as s:
        from earmark.registry import find_news

        found = find_news(s.store, s.read(catalog), model, s.progress)
        s.write(news, found)
    return "train" if found.facts["found"] or force else "stop"
