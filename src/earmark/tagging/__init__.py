"""The registered model on files, folders, streams and long recordings."""

from earmark.tagging.folded import fold_norms
from earmark.tagging.formats import FORMATS, Writer, open_writer
from earmark.tagging.inputs import STDIN, SoundFile, find_sounds
from earmark.tagging.tagger import Span, spooled, tag_sound
from earmark.tagging.tags import Choice, Tag

__all__ = [
    "FORMATS",
    "STDIN",
    "Choice",
    "SoundFile",
    "Span",
    "Tag",
    "Writer",
    "find_sounds",
    "fold_norms",
    "open_writer",
    "spooled",
    "tag_sound",
]
