"""The step find_news."""

from earmark.components.find_news.component import find_news

__all__ = ["find_news"]
