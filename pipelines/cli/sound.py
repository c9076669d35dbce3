"""Commands that use a registered model on sound."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from earmark.pipelines.cli.app import Json, Work, app

Sounds = Annotated[
    list[str],
    typer.Argument(help="Files, folders (all audio below them), globs (quoted: '**/*.wav'), or - for standard input."),
]
Model = Annotated[
    str, typer.Option(help="The model: NAME (its champion), NAME@ALIAS, NAME/VERSION, or a package's folder.")
]


@app.command()
def tag(
    sounds: Sounds,
    model: Model = "earmark",
    timeline: Annotated[bool, typer.Option("--timeline", help="Also tag windows of 0.96 s along each file.")] = False,
    hop: Annotated[
        float | None,
        typer.Option(help="Seconds from window to window of the timeline. [default: 0.96]", min=0.01),
    ] = None,
    form: Annotated[
        str, typer.Option("--format", help="table, jsonl (a line a clip or window), csv, or audacity (label track).")
    ] = "table",
    output: Annotated[Path | None, typer.Option(help="File to write. [default: standard output]")] = None,
    threshold: Annotated[
        float | None,
        typer.Option(help="Tell labels from this score on. [default: the model's own thresholds, else 0.5]"),
    ] = None,
    top: Annotated[int | None, typer.Option(help="Tell so many labels of the highest scores.", min=1)] = None,
    all_: Annotated[bool, typer.Option("--all", help="Tell every label.")] = False,
    raw: Annotated[
        str | None,
        typer.Option(help="Standard input is bare samples, tagged as they arrive: RATE[,CHANNELS][,s16|f32]."),
    ] = None,
    work: Work = "work",
) -> None:
    """Tag sound with a registered model: labels with scores for each clip, and along time if wanted.

    Files of any length need the same memory. Scores are those of evaluation, calibrated where the model has a
    calibration. A file that cannot be read is named on standard error and skipped; the exit code is then 1.

    For example: earmark tag recordings/ --timeline --format jsonl

    A microphone: arecord -f S16_LE -r 16000 -t raw | earmark tag - --raw 16000 --timeline --hop 0.24
    """
    from earmark.pipelines.sound import TIMELINE_HOP
    from earmark.pipelines.sound import tag as tag_sounds
    from earmark.tagging.tags import Choice

    hop_s = (hop or TIMELINE_HOP) if timeline or hop is not None else None
    tag_sounds(sounds, model, Choice(threshold, top, all_), form, output, hop_s, raw, work)


@app.command()
def embed(
    sounds: Sounds,
    to: Annotated[Path, typer.Option(help="Folder to write; earlier embeddings in it are replaced.")],
    model: Model = "earmark",
    form: Annotated[str, typer.Option("--format", help="Of the patches: npz, parquet, tfrecord.")] = "parquet",
    pca: Annotated[bool, typer.Option("--pca", help="Whiten by the PCA of the model's training clips.")] = False,
    bits: Annotated[int, typer.Option(help="32 (float32), or 8: whitened, then a byte a value.")] = 32,
    fit_pca: Annotated[bool, typer.Option("--fit-pca", help="Whiten by a PCA of these very sounds.")] = False,
    work: Work = "work",
) -> None:
    """Embed sound: the network's last inner layer for each 0.96 s, and its mean for each clip.

    Values are linear (before the activation). TFRecord files are SequenceExamples as Audio Set's, in 8 bits.

    For example: earmark embed recordings/ --to embeddings --pca
    """
    from earmark.pipelines.sound import embed as embed_sounds

    embed_sounds(sounds, model, to, form, pca, bits, fit_pca, work)


@app.command()
def similar(
    file: Annotated[str, typer.Argument(help="The sound to compare, or - for standard input.")],
    embeddings: Annotated[Path, typer.Option("--in", help="Folder that `earmark embed --to` made.")],
    top: Annotated[int, typer.Option(help="So many clips.", min=1)] = 10,
    model: Annotated[str | None, typer.Option(help="The model. [default: the one that made the embeddings]")] = None,
    json: Json = False,
    work: Work = "work",
) -> None:
    """Find the clips that sound most like a file: cosine of embeddings, whitened where the folder's are.

    For example: earmark similar dog.wav --in embeddings --top 5
    """
    from earmark.pipelines.sound import similar as find_similar

    find_similar(file, embeddings, top, model, json, work)
