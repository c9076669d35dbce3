"""Commands that use a registered model on sound."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from earmark.pipelines.cli.app import Work, app

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
