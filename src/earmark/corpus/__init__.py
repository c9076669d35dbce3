"""Data sets made of data sets, and what can be said of one before anything is trained."""

from earmark.corpus.counting import about, describe
from earmark.corpus.mixing import Mix, Source, mix
from earmark.corpus.preparing import Prepared, inspect, prepare

__all__ = ["Mix", "Prepared", "Source", "about", "describe", "inspect", "mix", "prepare"]
