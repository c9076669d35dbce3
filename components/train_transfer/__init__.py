"""The step train_transfer."""

from earmark.components.train_transfer.component import train_transfer

__all__ = ["train_transfer"]
