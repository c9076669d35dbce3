"""Earmark: train, compare, register and retrain audio taggers."""

__version__ = "0.1.0"
