"""What was asked of a pipeline: the same request, and so the same run, here, on a cluster, or by schedule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from earmark.architectures import compare_request
from earmark.config import Config, DataConfig, EvaluateConfig, Experiment, FeatureSpec, Variant, make_config
from earmark.errors import unknown_name
from earmark.pipelines.folds import Folds, choose_folds, crossval_request
from earmark.pipelines.runs import run_id
from earmark.pipelines.studies import data_request, labels_request
from earmark.pipelines.study_file import study_request

if TYPE_CHECKING:
    from earmark.registry import Package

KINDS = ("raw", "whitened", "uint8")


@dataclass(frozen=True)
class Request:
    """A pipeline and what it is to be run with.

    Attributes:
        pipeline: its name.
        arguments: its parameters but ``run``, as Kubeflow takes them.
        run: the run's id, a digest of what was asked.
        data: where the clips are, as every process finds them.
        model: name of the registered model, "" for a pipeline that registers and reads none.
        preset: of the experiment.
        variants: names of the networks, or of networks over folds and seeds.
        width: scale of the networks.
    """

    pipeline: str
    arguments: Mapping[str, Any]
    run: str
    data: str
    model: str
    preset: str
    variants: tuple[str, ...]
    width: float

    @property
    def trains(self) -> bool:
        """Whether networks are trained by it."""
        return self.pipeline in ("compare", "crossval", "retrain", "labels", "data", "study", "transfer", "probe")

    @property
    def told(self) -> str:
        """What it does, in one line."""
        if not self.trains:
            return f"run {self.run}: {self.arguments['model']} on {self.data}"
        many = {"crossval": "models (networks × folds × seeds)", "compare": "networks", "retrain": "networks"}
        what = many.get(self.pipeline, "variants")
        return f"run {self.run}: {len(self.variants)} {what} on {self.data}, preset {self.preset}"


def ask_compare(data: str, preset: str, architectures: Sequence[str], patch: Mapping[str, Any], model: str) -> Request:
    """Networks trained and compared on one dataset, the best one put to the gate.

    Raises:
        UserError: an unknown preset, network, key or option, or a value that cannot be.
    """
    return _over_variants("compare", data, compare_request(preset, patch, architectures), model)


def ask_transfer(
    data: str,
    source: str,
    preset: str,
    methods: Sequence[str],
    sizes: Sequence[str],
    freeze: int | None,
    patch: Mapping[str, Any],
    model: str,
) -> Request:
    """Ways to use a trained network × training clips of each label; the environment says where MLflow is.

    Raises:
        UserError: no such network, or as :func:`earmark.transfer.transfer_request`.
    """
    from earmark.registry import fetch_package
    from earmark.transfer import transfer_request

    package = fetch_package(source)
    # The version, not its alias: what is champion may change while this runs.
    reference = f"models:/{package.title}" if package.version else str(Path(package.folder).absolute())
    experiment = transfer_request(preset, patch, reference, package.document, methods, sizes, freeze)
    return _over_variants("transfer", data, experiment, model)


def ask_probe(
    data: str, preset: str, methods: Sequence[str], sizes: Sequence[str], patch: Mapping[str, Any]
) -> Request:
    """Heads on published embeddings × training clips of each label; see ``probe_request``."""
    from earmark.transfer import probe_request

    return _over_variants("probe", data, probe_request(preset, patch, methods, sizes), None)


def ask_crossval(
    data: str,
    preset: str,
    architectures: Sequence[str],
    patch: Mapping[str, Any],
    folds: str | None,
    seeds: str | None,
) -> Request:
    """Networks over folds, seeds or both; nothing is registered.

    Raises:
        UserError: as :func:`ask_compare`; or folds or seeds that cannot be.
    """
    config = make_config(preset, patch).data
    chosen = choose_folds(folds, absolute(data), config) if folds is not None else Folds()
    return _over_variants("crossval", data, crossval_request(preset, patch, architectures, chosen, seeds), None)


def ask_labels(
    data: str, preset: str, architecture: str, patch: Mapping[str, Any], sizes: str, bottleneck: int, model: str
) -> Request:
    """Label-set sizes with and without a bottleneck, scored on the labels that all learn; see ``labels_request``."""
    experiment = labels_request(absolute(data), preset, architecture, patch, sizes, bottleneck)
    return _over_variants("labels", data, experiment, model)


def ask_data(
    data: str, preset: str, architecture: str, patch: Mapping[str, Any], factor: float, rungs: int | None, model: str
) -> Request:
    """Smaller and smaller parts of the training clips at the same number of steps; see ``data_request``."""
    return _over_variants("data", data, data_request(absolute(data), preset, architecture, patch, factor, rungs), model)


def ask_study(file: Path, data: str, preset: str | None, patch: Mapping[str, Any], model: str) -> Request:
    """The variants of a file; see ``study_request``."""
    return _over_variants("study", data, study_request(file, preset, patch), model)


def ask_retrain(
    data: str,
    model: str,
    start: str,
    preset: str | None,
    architectures: Sequence[str],
    patch: Mapping[str, Any],
    force: bool,
) -> Request:
    """The champion's successor on new clips; the environment says where MLflow and the object store are.

    The run is named by what was asked, by the data's listing and by the champion: the same command finds or goes on
    with its run as long as both are the same, and is a new run once either is not.

    Raises:
        UserError: no champion, an unknown start, or as :func:`ask_compare`.
    """
    from earmark.catalog.root import open_root
    from earmark.registry import Asked, find_champion, plan_retraining

    arguments = retrain_arguments(data, model, start, preset, architectures, patch, force)
    listing = open_root(absolute(data)).digest()
    champion = find_champion(model)
    # Planned again where it runs, by the same function: here it tells errors at once, and what will be trained.
    experiment = plan_retraining(champion, Asked.from_json(arguments["asked"]))
    identity = {"listing": listing, "champion": champion.version}
    return _request("retrain", arguments, model, experiment, identity)


def retrain_arguments(
    data: str,
    model: str,
    start: str,
    preset: str | None,
    architectures: Sequence[str],
    patch: Mapping[str, Any],
    force: bool,
) -> dict[str, Any]:
    """What the graph takes, checked as far as that needs no champion: each run follows the one of its day.

    Raises:
        UserError: an unknown start, or as :func:`ask_compare`.
    """
    from earmark.registry import Asked, check_asked

    asked = Asked(start=start, preset=preset, architectures=tuple(architectures), patch=dict(patch))
    check_asked(asked)
    return {"data": absolute(data), "asked": asked.to_json(), "model": model, "force": force}


def ask_evaluate(model: str, data: str, include_trained: bool, balanced: int | None = None) -> Request:
    """A model that is there, on labelled sound, or on about ``balanced`` clips a label.

    Raises:
        UserError: no such model or version.
    """
    return _of_package("evaluate", model, data, {"include_trained": include_trained}, balanced)


def ask_embed(model: str, data: str, kind: str) -> Request:
    """Embeddings of a folder's sounds by a model that is there; the environment says where MLflow is.

    Raises:
        UserError: no such model or version, or an unknown kind of embeddings.
    """
    if kind not in KINDS:
        raise unknown_name("kind of embeddings", kind, KINDS)
    return _of_package("embed", model, data, {"kind": kind})


def absolute(data: str) -> str:
    """A place of data that means the same in every process."""
    return str(Path(data).expanduser().absolute()) if "://" not in data else data


def evaluate_request(package: Package, balanced: int | None = None) -> Experiment:
    """What the steps before the model need to know: its features, and that all clips are test, or a balanced part.

    Bad clips are named in the report and stop nothing: a model is not hurt by them as training would be.
    """
    document = package.document
    base = Config(
        preset=document.get("config", {}).get("preset", "modern"),
        features=FeatureSpec.model_validate(document["features"]),
        data=DataConfig(all_test=True, balanced_test=balanced, max_rejected_share=1.0),
        evaluate=EvaluateConfig.model_validate(document["evaluate"]),
    )
    return Experiment(base=base, variants=(Variant(name=document["architecture"]["name"]),))


def _over_variants(pipeline: str, data: str, experiment: Experiment, model: str | None) -> Request:
    """The request of a pipeline over an experiment's variants; some take no model at all."""
    arguments: dict[str, Any] = {
        "data": absolute(data),
        "experiment": experiment.to_json(),
        "variants": [variant.name for variant in experiment.variants],
        **({"model": model} if model is not None else {}),
    }
    return _request(pipeline, arguments, model or "", experiment)


def _of_package(pipeline: str, model: str, data: str, more: Mapping[str, Any], balanced: int | None = None) -> Request:
    """The request of a pipeline by a model that is there."""
    from earmark.registry import fetch_package

    package = fetch_package(model)
    experiment = evaluate_request(package, balanced)
    # The version, not its alias: what is champion may change while this runs.
    reference = package.title if package.version else str(Path(package.folder).absolute())
    arguments = {"data": absolute(data), "experiment": experiment.to_json(), "model": reference, **more}
    return _request(pipeline, arguments, package.name, experiment)


def _request(
    pipeline: str,
    arguments: Mapping[str, Any],
    model: str,
    experiment: Experiment,
    identity: Mapping[str, Any] | None = None,
) -> Request:
    """A request, named by its arguments and by what else makes it another run (``identity``)."""
    run = run_id(pipeline, {**arguments, **(identity or {})})
    variants = tuple(variant.name for variant in experiment.variants)
    base = experiment.base
    return Request(pipeline, arguments, run, arguments["data"], model, base.preset, variants, base.architecture.width)
