"""The step build_catalog."""

from earmark.components.build_catalog.component import build_catalog

__all__ = ["build_catalog"]
