"""The step list_clips."""

from earmark.components.list_clips.component import list_clips

__all__ = ["list_clips"]
