"""Speech Commands as published: ``<word>/<speaker>_nohash_<n>.wav``, lists of validation and testing, background noise.

A clip on neither list is for training. A speaker's clips are a group. The minute-long recordings of
``_background_noise_`` are cut into seconds under the label ``_silence_``, which is TensorFlow's name for them.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from earmark.catalog.claims import Claims
from earmark.catalog.forms import Form
from earmark.catalog.root import DataRoot
from earmark.catalog.splits import hash_unit
from earmark.catalog.text import read_text
from earmark.config import DataConfig
from earmark.errors import UserError
from earmark.features.isolated import Workers

LISTS = {"validation_list.txt": "validation", "testing_list.txt": "test"}
NOISE, SILENCE = "_background_noise_", "_silence_"
SPEAKER_ENDS = "_nohash_"
PIECE_S = 1.0


@dataclass(frozen=True)
class Listed:
    """What a list says of a clip, or that none does."""

    split: str
    place: str


def _recognises(root: DataRoot) -> bool:
    return root.named is None and _base(root) is not None and any(SPEAKER_ENDS in uri for uri in root.audio)


def _base(root: DataRoot) -> str | None:
    """The only folder that holds both lists, as the beginning of its keys; None without one."""
    ends = [{key.removesuffix(name) for key in root.lists if f"/{key}".endswith(f"/{name}")} for name in LISTS]
    bases = set.intersection(*ends)
    return bases.pop() if len(bases) == 1 else None


def _read(root: DataRoot, _config: DataConfig) -> Claims:
    """All words and the pieces of the background noise, in the splits of the lists.

    Raises:
        UserError: no lists, or a speaker in two splits; names list and line.
    """
    base = _base(root)
    if base is None:
        raise UserError(
            f"{root.store.uri} has no {' and '.join(LISTS)} beside each other: give the folder that Speech Commands "
            "was unpacked to"
        )
    listed, dropped = _listed(root, base)
    words = [uri for uri in sorted(root.audio) if _is_word(uri, base)]
    entries = {uri: listed.get(uri, Listed("train", f"{uri}, on no list")) for uri in words}
    _check_speakers(entries)
    pieces, unread = _pieces(root, base)
    dropped += unread
    return Claims(
        source=SPEECH_COMMANDS.name,
        clip_ids=[*words, *(f"{uri}#{start:.12g}-{start + PIECE_S:.12g}" for uri, start, _ in pieces)],
        uris=[*words, *(uri for uri, _, _ in pieces)],
        labels=[*((uri.removeprefix(base).split("/")[0],) for uri in words), *[(SILENCE,)] * len(pieces)],
        starts=[*[None] * len(words), *(start for _, start, _ in pieces)],
        ends=[*[None] * len(words), *(start + PIECE_S for _, start, _ in pieces)],
        splits=[*(entries[uri].split for uri in words), *(split for _, _, split in pieces)],
        folds=[None] * (len(words) + len(pieces)),
        groups=[*(_speaker(uri) for uri in words), *(uri for uri, _, _ in pieces)],
        dropped=dict(dropped),
        places=[*(entries[uri].place for uri in words), *(uri for uri, _, _ in pieces)],
    )


def _is_word(uri: str, base: str) -> bool:
    return uri.startswith(base) and "/" in uri.removeprefix(base) and not uri.startswith(f"{base}{NOISE}/")


def _listed(root: DataRoot, base: str) -> tuple[dict[str, Listed], Counter[str]]:
    """What the lists say of the clips that are there, and how many of their lines name no such clip."""
    listed: dict[str, Listed] = {}
    dropped: Counter[str] = Counter()
    speakers: dict[str, Listed] = {}
    for name, split in LISTS.items():
        for line, text in enumerate(read_text(root, base + name).split("\n"), start=1):
            if not text.strip():
                continue
            uri = base + text.strip()
            here = Listed(split, f"{root.place(base + name)} line {line}")
            _check_speaker(speakers, _speaker(uri), here)
            if uri in root.audio:
                listed[uri] = here
            else:
                dropped[f"on {name}, and no such file"] += 1
    return listed, dropped


def _check_speakers(entries: dict[str, Listed]) -> None:
    """Refuse a speaker of a list who has clips for training too. Listed clips come first: theirs is the line told."""
    speakers: dict[str, Listed] = {}
    for uri, entry in sorted(entries.items(), key=lambda item: (item[1].split == "train", item[0])):
        _check_speaker(speakers, _speaker(uri), entry)


def _check_speaker(speakers: dict[str, Listed], speaker: str | None, here: Listed) -> None:
    if speaker is None:
        return
    known = speakers.setdefault(speaker, here)
    if known.split != here.split:
        raise UserError(
            f"{here.place}: speaker {speaker} is in {here.split} here and in {known.split} by {known.place}, a leak: "
            "put all clips of a speaker on the same list, or on none"
        )


def _speaker(uri: str) -> str | None:
    speaker, ends, _ = uri.rpartition("/")[2].partition(SPEAKER_ENDS)
    return speaker if ends else None


def _pieces(root: DataRoot, base: str) -> tuple[list[tuple[str, float, str]], Counter[str]]:
    """Key, start and split of every whole second of background noise; how many of its files have no readable header.

    A recording is in one split, since its seconds sound alike: that of the lowest hash is test, the next validation.
    With fewer than three there is none to spare, and all are for training.
    """
    noises = [uri for uri in root.audio if uri.startswith(f"{base}{NOISE}/")]
    files = sorted(noises, key=lambda uri: hash_unit(uri.removeprefix(base), "test"))
    splits = ["test", "validation"] if len(files) > 2 else []
    pieces: list[tuple[str, float, str]] = []
    unread: Counter[str] = Counter()
    with Workers(1, frames=False) as workers:
        lengths = [_seconds(root, uri, workers) for uri in files]
    for at, (uri, seconds) in enumerate(zip(files, lengths, strict=True)):
        if seconds is None:
            unread["background noise that cannot be read"] += 1
            continue
        split = splits[at] if at < len(splits) else "train"
        pieces += [(uri, float(second), split) for second in range(int(seconds / PIECE_S))]
    return sorted(pieces), unread


def _seconds(root: DataRoot, uri: str, workers: Workers) -> float | None:
    try:
        content = root.store.get(uri)
    except OSError:
        return None
    claimed = workers.header(content, len(content))
    return None if claimed is None else claimed[2]


SPEECH_COMMANDS = Form(
    "speech_commands", "validation_list.txt and testing_list.txt beside a folder a word", _recognises, _read
)
