"""Data sets made of data sets, and what can be said of one before anything is trained."""

from earmark.corpus.mix import Mix, Source, mix

__all__ = ["Mix", "Source", "mix"]
