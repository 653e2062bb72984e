"""What several test files ask of models: whether two have the same weights, or one has changed."""

import torch


def weights(model):
    """Return copies of the weights as they are now, by name."""
    return {name: value.clone() for name, value in model.state_dict().items()}


def equal(first, second):
    """Return whether two sets of `weights` are the same to the last bit."""
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)
