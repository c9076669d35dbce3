"""Data sets made of data sets, and what can be said of one before anything is trained."""

from earmark.corpus.describe import about, describe
from earmark.corpus.inspect import Prepared, inspect, prepare
from earmark.corpus.mix import Mix, Source, mix

__all__ = ["Mix", "Prepared", "Source", "about", "describe", "inspect", "mix", "prepare"]
