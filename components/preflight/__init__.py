"""The step preflight."""

from earmark.components.preflight.component import preflight

__all__ = ["preflight"]
