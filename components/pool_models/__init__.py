"""The step pool_models."""

from earmark.components.pool_models.component import pool_models

__all__ = ["pool_models"]
