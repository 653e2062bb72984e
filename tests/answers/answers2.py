"""Answers to the questions of chapter 2: right ones, written in different ways, and wrong ones with their hints."""

import numpy as np
import torch
from torch.nn import functional as F


def error_by_flattening(images, reconstructions):
    return (images - reconstructions).square().flatten(1).sum(dim=1).mean()


def error_by_loop(images, reconstructions):
    total = 0.0
    for image, reconstruction in zip(images, reconstructions, strict=True):
        for x, y in zip(image.flatten().tolist(), reconstruction.flatten().tolist(), strict=True):
            total += (x - y) ** 2
    return total / len(images)


def error_by_library(images, reconstructions):
    return F.mse_loss(reconstructions, images, reduction="sum") / images.shape[0]


def error_by_einsum(images, reconstructions):
    difference = images - reconstructions
    return torch.einsum("nchw,nchw->n", difference, difference).mean().item()


def error_by_numpy(images, reconstructions):
    difference = images.numpy() - reconstructions.numpy()
    return np.mean(np.sum(difference**2, axis=(1, 2, 3)))


def encoder_by_matrices(images, w1, b1, w2, b2):
    hidden = torch.relu(images.flatten(1) @ w1 + b1)
    return hidden @ w2 + b2


def encoder_by_library(images, w1, b1, w2, b2):
    return F.linear(F.relu(F.linear(images.flatten(1), w1.T, b1)), w2.T, b2)


def encoder_by_einsum(images, w1, b1, w2, b2):
    pixels = images.view(len(images), -1)
    hidden = torch.einsum("np,ph->nh", pixels, w1) + b1
    return torch.einsum("nh,hk->nk", hidden.clamp(min=0), w2) + b2


def encoder_by_numpy(images, w1, b1, w2, b2):
    pixels, w1, b1, w2, b2 = (tensor.numpy() for tensor in (images, w1, b1, w2, b2))
    return np.maximum(pixels.reshape(len(pixels), -1) @ w1 + b1, 0) @ w2 + b2


def encoder_by_loop(images, w1, b1, w2, b2):
    codes = []
    for image in images:
        hidden = [max(0.0, float((image.flatten() * column).sum() + b)) for column, b in zip(w1.T, b1, strict=True)]
        codes.append([sum(h * float(w) for h, w in zip(hidden, column, strict=True)) for column in w2.T])
    return torch.tensor(codes) + b2


def step_by_backward(weight, images, lr):
    weight = weight.clone().requires_grad_()
    loss = error_of_rows(images, images @ weight @ weight.T)
    loss.backward()
    with torch.no_grad():
        weight -= lr * weight.grad
    return weight.detach()


def step_by_grad(weight, images, lr):
    w = weight.detach().clone().requires_grad_(True)
    (gradient,) = torch.autograd.grad(((images @ w @ w.T - images) ** 2).sum(1).mean(), w)
    return weight - lr * gradient


def step_by_optimiser(weight, images, lr):
    w = torch.nn.Parameter(weight.clone())
    descent = torch.optim.SGD([w], lr=lr)
    F.mse_loss(images @ w @ w.T, images, reduction="sum").div(len(images)).backward()
    descent.step()
    return w.data


def step_by_functional(weight, images, lr):
    gradient = torch.func.grad(lambda w: (images - images @ w @ w.T).pow(2).sum() / len(images))(weight)
    return weight - lr * gradient


def step_by_formula(weight, images, lr):
    w, x = weight.numpy(), images.numpy()
    left = x @ w @ w.T - x
    return w - lr * 2 / len(x) * (x.T @ left @ w + left.T @ x @ w)


def error_of_rows(images, reconstructions):
    return (images - reconstructions).square().sum() / len(images)


RIGHT = {
    "reconstruction_error": [
        error_by_flattening,
        error_by_loop,
        error_by_library,
        error_by_einsum,
        error_by_numpy,
    ],
    "encoder": [
        encoder_by_matrices,
        encoder_by_library,
        encoder_by_einsum,
        encoder_by_numpy,
        encoder_by_loop,
    ],
    "training_step": [
        step_by_backward,
        step_by_grad,
        step_by_optimiser,
        step_by_functional,
        step_by_formula,
    ],
}


def error_in_place(images, reconstructions):
    images -= reconstructions
    return images.square().flatten(1).sum(1).mean()


def relu_everywhere(images, w1, b1, w2, b2):
    x = images.flatten(1)
    for w, b in ((w1, b1), (w2, b2)):
        x = torch.relu(x @ w + b)
    return x


def no_relu(images, w1, b1, w2, b2):
    hidden = torch.matmul(images.flatten(1), w1) + b1
    return torch.matmul(hidden, w2) + b2


def late_relu(images, w1, b1, w2, b2):
    hidden = images.flatten(1) @ w1 + b1
    return torch.relu(hidden @ w2 + b2)


def squashed_code(images, w1, b1, w2, b2):
    return 1 / (1 + (-(F.relu(images.flatten(1) @ w1 + b1) @ w2 + b2)).exp())


def late_bias(images, w1, b1, w2, b2):
    return (F.relu(images.flatten(1) @ w1) + b1) @ w2 + b2


def no_first_bias(images, w1, b1, w2, b2):
    return F.relu(images.flatten(1) @ w1) @ w2 + b2


def no_second_bias(images, w1, b1, w2, b2):
    return F.relu(images.flatten(1) @ w1 + b1) @ w2


def no_biases(images, w1, b1, w2, b2):
    return F.relu(images.flatten(1) @ w1) @ w2


def linear_of_the_library(images, w1, b1, w2, b2):
    return F.linear(F.relu(F.linear(images.flatten(1), w1, b1)), w2, b2)


def one_long_row(images, w1, b1, w2, b2):
    return torch.relu(images.reshape(-1) @ w1 + b1) @ w2 + b2


def sigmoid_inside(images, w1, b1, w2, b2):
    return torch.sigmoid(images.flatten(1) @ w1 + b1) @ w2 + b2


def like_the_package(images, w1, b1, w2, b2):
    hidden = images.flatten(1) @ w1 + b1
    centred = hidden - hidden.mean(1, keepdim=True)
    hidden = centred / (centred.square().mean(1, keepdim=True) + 1e-5).sqrt()
    return hidden.clamp(min=0) @ w2 + b2


def cut_in_pieces(images, w1, b1, w2, b2):
    pixels = images.reshape(w1.shape[0], len(images)).T
    return F.relu(pixels @ w1 + b1) @ w2 + b2


def not_flattened(images, w1, b1, w2, b2):
    return F.relu(images @ w1 + b1) @ w2 + b2


def codes_as_columns(images, w1, b1, w2, b2):
    return (F.relu(images.flatten(1) @ w1 + b1) @ w2 + b2).T


def gradient_of(weight, images, error=error_of_rows):
    w = weight.clone().requires_grad_()
    error(images, images @ w @ w.T).backward()
    return w.grad


def stops_the_code(weight, images, lr):
    w = weight.clone().requires_grad_()
    with torch.no_grad():
        code = images @ w
    error_of_rows(images, code @ w.T).backward()
    return (w - lr * w.grad).detach()


def copies_the_decoder(weight, images, lr):
    w = weight.clone().requires_grad_()
    decoder = w.detach().T
    error_of_rows(images, images @ w @ decoder).backward()
    return (w - lr * w.grad).detach()


def in_place(weight, images, lr):
    weight -= lr * gradient_of(weight, images)
    return weight


def without_requires_grad(weight, images, lr):
    loss = error_of_rows(images, images @ weight @ weight.T)
    loss.backward()
    return weight - lr * weight.grad


def forgets_the_step(weight, images, lr):
    w = weight.clone().requires_grad_()
    error_of_rows(images, images @ w @ w.T).backward()
    w.data -= lr * w.grad
    return weight


def goes_twice(weight, images, lr):
    for _ in range(2):
        weight = weight - lr * gradient_of(weight, images)
    return weight


def centres(weight, images, lr):
    return weight - lr * gradient_of(weight, images - images.mean(dim=0, keepdim=True))


def mean_of_all(images, reconstructions):
    return F.mse_loss(reconstructions, images)


def sum_of_all(images, reconstructions):
    return F.mse_loss(reconstructions, images, reduction="sum")


WRONG = {
    "reconstruction_error": [
        (lambda x, y: F.mse_loss(y, x), "mean over pixels *and* images"),
        (lambda x, y: ((x - y) ** 2).sum(), "grows with the number of images"),
        (lambda x, y: ((x - y) ** 2).sum() / x[0].numel(), "the two are exchanged"),
        (lambda x, y: ((x - y) ** 2).sum(dim=(1, 2, 3)), "one number for each image"),
        (lambda x, y: ((x - y) ** 2).sum(dim=-1).mean(), "a row of pixels"),
        (lambda x, y: ((x - y) ** 2).sum(dim=1).mean(), "along axis 1 only"),
        (lambda x, y: F.l1_loss(y, x, reduction="sum") / len(x), "absolute differences"),
        (lambda x, y: ((x - y) ** 2).sum(dim=(1, 2, 3)).sqrt().mean(), "mean *distance*"),
        (lambda x, y: (((x - y) ** 2).sum() / len(x)) ** 0.5, "root at the end"),
        (lambda x, y: ((x - y).sum(dim=(1, 2, 3)) ** 2).mean(), "cancel out"),
        (lambda x, y: 0.5 * ((x - y) ** 2).sum() / len(x), "half of what it should be"),
        (lambda x, y: F.binary_cross_entropy(y, x, reduction="none").sum((1, 2, 3)).mean(), "cross-entropy"),
        (error_in_place, "changes its input `images`"),
        (lambda x, y: ((x - y) ** 2).sum(0), "should be a single number"),
    ],
    "encoder": [
        (relu_everywhere, "ReLU on the code as well"),
        (no_relu, "collapse into a single linear one"),
        (late_relu, "on the code alone"),
        (squashed_code, "sigmoid on the code"),
        (late_bias, "`b1` comes after the ReLU"),
        (no_first_bias, "`b1` has no part"),
        (no_second_bias, "`b2` has no part"),
        (no_biases, "both biases have no part"),
        (linear_of_the_library, "matrices are transposed"),
        (one_long_row, "flatten the batch along with the pixels"),
        (sigmoid_inside, "the hidden layer is a sigmoid's"),
        (like_the_package, "there is a layer norm in it"),
        (cut_in_pieces, "pixels of different images are mixed up"),
        (not_flattened, "not flattened"),
        (codes_as_columns, "should be (1, 2)"),
    ],
    "training_step": [
        (lambda w, x, lr: w + lr * gradient_of(w, x), "uphill"),
        (lambda w, x, lr: gradient_of(w, x), "this is the gradient"),
        (lambda w, x, lr: -lr * gradient_of(w, x), "change of W alone"),
        (lambda w, x, lr: w - gradient_of(w, x), "learning rate has no part"),
        (lambda w, x, lr: w - lr * gradient_of(w, x, sum_of_all), "summed over the batch"),
        (lambda w, x, lr: w - lr * gradient_of(w, x, mean_of_all), "averaged over the pixels too"),
        (stops_the_code, "decoder's W alone"),
        (copies_the_decoder, "encoder's W alone"),
        (lambda w, x, lr: w - lr * gradient_of(w, x) / 2, "step is half"),
        (centres, "subtract the mean of the images"),
        (goes_twice, "two steps"),
        (forgets_the_step, "W came back as it was"),
        (in_place, "changes its input `weight`"),
        (without_requires_grad, "raised RuntimeError: element 0 of tensors does not require grad"),
        (lambda w, x, lr: error_of_rows(x, x @ w @ w.T), "has shape (), should be (2, 1)"),
    ],
}
