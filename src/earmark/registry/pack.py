"""What becomes of a trained network when it is registered: its package, and the same for others, compared with it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from earmark.errors import EarmarkError, UserError
from earmark.progress import Progress
from earmark.registry.card import model_card
from earmark.registry.clips import clips_of
from earmark.registry.ending import Network, document_of
from earmark.registry.package import PCA, PROGRAM, WEIGHTS, write_package
from earmark.store import Manifest, Store, open_store
from earmark.store.tables import read_table
from earmark.tracking import RunContext

if TYPE_CHECKING:
    from earmark.evaluation import Model

CALIBRATION = "calibration.json"
CHECKED_CLIPS, CHECKED_BYTES = 3, 4 * 2**20
"""How many of the data's clips, and up to which size of a file, exports are compared on."""
EXPORTING = Lock()
"""torch traces one network at a time, and there is one path of modules."""


@dataclass(frozen=True)
class Sounds:
    """What the networks were trained from."""

    catalog: Manifest
    patches: Manifest
    dataset: Manifest


@dataclass(frozen=True)
class Packed:
    """A folder with all that is registered."""

    package: str
    """The sha256 of ``model.json``, which seals the other files."""
    card: str


def pack(
    folder: Path,
    store: Store,
    comparison: Manifest,
    network: Network,
    sounds: Sounds,
    name: str,
    run: RunContext,
    progress: Progress,
) -> Packed:
    """Write a network's package, its program and its MLflow model into a folder, and compare them with the network.

    Raises:
        ExportMismatch: what others would get gives other numbers.
    """
    from earmark.evaluation import model_of
    from earmark.registry.export.check import check_program, check_pyfunc, made_waveforms, waveform_of
    from earmark.registry.export.program import export_program, load_program, save_program
    from earmark.registry.export.pyfunc import example_audio, write_pyfunc

    document = _document(store, network, sounds, name, run)
    card = _card(comparison, network, document, name, run)
    weights = network.checkpoint.files[WEIGHTS].local(store)
    model = model_of(weights.read_bytes(), document)
    folder.mkdir(parents=True, exist_ok=True)
    _write_pca(folder / PCA, model, store, sounds, progress)
    # compared on the CPU, where numbers are the same everywhere
    model = replace(model, network=model.network.cpu())
    clips = _clips(store, sounds.dataset, model)
    waveforms = [*made_waveforms(), *(waveform_of(audio, model) for audio in clips)]
    with EXPORTING:
        save_program(export_program(model), folder / PROGRAM)
        check_program(load_program(folder / PROGRAM), model, waveforms, PROGRAM)
        package = write_package(folder, weights, document, clips_of(store, sounds.catalog, sounds.dataset), card)
        write_pyfunc(folder)
        check_pyfunc(folder, model, [example_audio(), *clips])
    return Packed(package, card)


def _document(store: Store, network: Network, sounds: Sounds, name: str, run: RunContext) -> dict[str, Any]:
    """``model.json`` but for the digests of the package's files."""
    assert network.metrics is not None
    document = document_of(store, network)
    scores = {part: network.metrics.facts[part] for part in ("test", "validation")}
    document |= {"name": name, "variant": network.name, "run": run.run, "scores": scores}
    document["catalog"] = sounds.catalog.digest
    # A network may have learned fewer labels than the dataset has.
    ids = {label["name"]: label["id"] for label in json.loads(sounds.dataset.files["labels.json"].read(store))}
    document["label_ids"] = [ids[name] for name in document["labels"]]
    if CALIBRATION in network.metrics.files:
        document["calibration"] = json.loads(network.metrics.files[CALIBRATION].read(store))
    return document


def _write_pca(path: Path, model: Model, store: Store, sounds: Sounds, progress: Progress) -> None:
    from earmark.embeddings import training_pca

    try:
        training_pca(model, store, sounds.dataset, sounds.patches).save(path)
    except UserError as error:
        progress.note(f"the model has no PCA of its embeddings: {error}")


def _clips(store: Store, dataset: Manifest, model: Model) -> list[bytes]:
    """Some clips of the test part as files, as far as the data can still be read from here."""
    from earmark.features import frames_of

    found: list[bytes] = []
    rows = read_table(dataset.files["dataset.parquet"].read(store)).select(["uri", "split"]).to_pylist()
    for uri in [row["uri"] for row in rows if row["split"] == "test"][: 4 * CHECKED_CLIPS]:
        try:
            data = open_store(dataset.facts["data"])
            info = data.head(uri)
            audio = data.get(uri) if info is not None and info.size <= CHECKED_BYTES else b""
        except (EarmarkError, OSError):
            break
        if audio and frames_of(audio, model.features)[1].reason is None:
            found.append(audio)
        if len(found) == CHECKED_CLIPS:
            break
    return found


def _card(comparison: Manifest, network: Network, document: Mapping[str, Any], model: str, run: RunContext) -> str:
    facts, config = network.checkpoint.facts, document["config"]
    assert network.metrics is not None
    return model_card(
        model,
        {
            "architecture": facts["name"],
            "width": config["architecture"]["width"],
            "steps": facts["steps"],
            "weights": facts["weights"],
            "multiplies": facts["multiplies"],
            "run": run.run,
            "code_version": document["version"],
            "confidence": config["evaluate"]["confidence"],
        },
        document["labels"],
        comparison.facts["dataset"],
        {part: network.metrics.facts[part] for part in ("test", "validation")},
        comparison.facts["evaluated_clips"],
        document.get("calibration"),
    )
