"""Commands for data sets, before any run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from earmark.pipelines.cli.app import Assignments, ConfigFile, Json, Work, app, patch_of

data_app = typer.Typer(help="Make, check and describe data sets.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(data_app, name="data")

Preset = Annotated[str, typer.Option(help="modern, quick or paper: of the run that is meant.")]


@data_app.command()
def mix(
    source: Annotated[str, typer.Argument(help="The labelled clips: a folder or list, as --data takes it.")],
    to: Annotated[Path, typer.Option(help="Folder to make, or to go on with.")],
    scenes: Annotated[int, typer.Option(help="How many, over all splits.", min=3)] = 2000,
    seconds: Annotated[float, typer.Option(help="Length of each.", min=1.0)] = 10.0,
    events: Annotated[str, typer.Option(help="Fewest and most in a scene.")] = "1-4",
    snr: Annotated[str, typer.Option(help="Level of events over the bed of noise, in dB.")] = "0-15",
    skew: Annotated[
        float, typer.Option(help="How uneven labels are: drawn by rank ** -skew; 0 draws all alike.", min=0.0)
    ] = 0.5,
    seed: Annotated[int, typer.Option(help="Everything random is a function of this number.")] = 0,
    config: ConfigFile = None,
    set_: Assignments = None,
    work: Work = "work",
    json: Json = False,
) -> None:
    """Mix a multi-label corpus: scenes of labelled clips at stated levels and known times.

    A scene of a split is made of clips of that split alone. What was begun is gone on with.

    For example: earmark data mix clips/ --to scenes --scenes 500
    """
    from earmark.pipelines.datasets import mix_data

    how = {"scenes": scenes, "seconds": seconds, "events": events, "snr_db": snr, "skew": skew, "seed": seed}
    mix_data(source, to, how, patch_of(config, set_ or [], {}, None), work, json)


@data_app.command()
def check(
    data: Annotated[str, typer.Argument(help="The clips: a folder or list, as --data takes it.")],
    preset: Preset = "modern",
    config: ConfigFile = None,
    set_: Assignments = None,
    work: Work = "work",
    json: Json = False,
) -> None:
    """Tell what a run would make of a data set: form, labels, splits, findings, and what would stop it.

    Clips are decoded as in a run, and a run with the same options decodes none of them again. The exit code is 2 if a
    run would be refused.

    For example: earmark data check recordings/
    """
    from earmark.errors import UserError
    from earmark.pipelines.datasets import check_data

    if not check_data(data, preset, patch_of(config, set_ or [], {}, None), work, json):
        raise typer.Exit(UserError.exit_code)


@data_app.command()
def describe(
    data: Annotated[str, typer.Argument(help="The clips: a folder or list, as --data takes it.")],
    output: Annotated[
        Path | None, typer.Option(help="Where to write the page. [default: WORK/reports/data-NAME.html]")
    ] = None,
    preset: Preset = "modern",
    config: ConfigFile = None,
    set_: Assignments = None,
    work: Work = "work",
    json: Json = False,
) -> None:
    """Describe a data set: labels and splits, durations, rates, formats, labels that come together; with a page.

    For example: earmark data describe recordings/
    """
    from earmark.pipelines.datasets import describe_data

    describe_data(data, output, preset, patch_of(config, set_ or [], {}, None), work, json)


@data_app.command()
def unpack(
    archives: Annotated[list[Path], typer.Argument(help="Archives: .zip, .tar, .tar.gz, .tgz.")],
    to: Annotated[Path, typer.Option(help="Folder to unpack to; made if it is not there.")],
) -> None:
    """Unpack archives of sound, each whole or not at all.

    An archive with absolute paths, .., links or devices is refused, and no file that is there is replaced.

    For example: earmark data unpack sounds.zip --to sounds
    """
    from earmark.pipelines.archives import unpack_archives

    unpack_archives(archives, to)


@data_app.command()
def forms(json: Json = False) -> None:
    """List the forms in which data sets are read, and what each is known by."""
    from earmark.pipelines.archives import show_forms

    show_forms(json)
