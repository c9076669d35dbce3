"""Training of one network: sampler, augmentation, loop, checkpoints, and the worker's supervisor."""

from earmark.training.train import train_model, training_key

__all__ = ["train_model", "training_key"]
