"""Answers to the questions of chapter 11: right ones, written in different ways, and wrong ones with their hints."""

import numpy as np
import torch
from scipy.signal import correlate2d
from torch.nn import functional as F


def convolve_by_loop(image, kernel, stride):
    side = len(kernel)
    rows = range(0, image.shape[0] - side + 1, stride)
    columns = range(0, image.shape[1] - side + 1, stride)
    return torch.tensor([[(image[r : r + side, c : c + side] * kernel).sum() for c in columns] for r in rows])


def convolve_by_unfold(image, kernel, stride):
    side = kernel.shape[0]
    windows = image.unfold(0, side, stride).unfold(1, side, stride)
    return (windows * kernel).sum((2, 3))


def convolve_by_scipy(image, kernel, stride):
    return correlate2d(image.numpy(), kernel.numpy(), mode="valid")[::stride, ::stride]


def convolve_by_shifts(image, kernel, stride):
    rows = image.shape[0] - kernel.shape[0] + 1
    columns = image.shape[1] - kernel.shape[1] + 1
    total = torch.zeros(rows, columns)
    for i in range(kernel.shape[0]):
        for j in range(kernel.shape[1]):
            total = total + kernel[i, j] * image[i : i + rows, j : j + columns]
    return total[::stride, ::stride]


def side_by_loop(kernels, strides):
    side, step = 1, 1
    for kernel, stride in zip(kernels, strides, strict=True):
        side, step = side + (kernel - 1) * step, step * stride
    return side


def side_backwards(kernels, strides):
    side = 1
    for kernel, stride in list(zip(kernels, strides, strict=True))[::-1]:
        side = (side - 1) * stride + kernel
    return side


def side_by_numpy(kernels, strides):
    steps = np.concatenate([[1], np.cumprod(strides)[:-1]])
    return int(1 + ((np.array(kernels) - 1) * steps).sum())


def writes_by_loop(inputs, kernel, stride):
    counts = torch.zeros((inputs - 1) * stride + kernel)
    for start in range(0, inputs * stride, stride):
        counts[start : start + kernel] += 1
    return counts


def writes_by_lists(inputs, kernel, stride):
    length = (inputs - 1) * stride + kernel
    return [sum(n * stride <= pixel < n * stride + kernel for n in range(inputs)) for pixel in range(length)]


def writes_by_numpy(inputs, kernel, stride):
    spread = np.zeros((inputs - 1) * stride + 1)
    spread[::stride] = 1
    return np.convolve(spread, np.ones(kernel))


def writes_by_torch(inputs, kernel, stride):
    return F.conv_transpose1d(torch.ones(1, 1, inputs), torch.ones(1, 1, kernel), stride=stride).squeeze()


RIGHT = {
    "convolve": [convolve_by_loop, convolve_by_unfold, convolve_by_scipy, convolve_by_shifts],
    "receptive_side": [side_by_loop, side_backwards, side_by_numpy],
    "writes": [writes_by_loop, writes_by_lists, writes_by_numpy, writes_by_torch],
}


def bordered(image, kernel, stride):
    border = len(kernel) // 2
    return convolve_by_loop(F.pad(image, (border,) * 4), kernel, stride)


def own_stride_first(kernels, strides):
    side, step = 1, 1
    for kernel, stride in zip(kernels, strides, strict=True):
        step *= stride
        side += (kernel - 1) * step
    return side


def whole_kernels(kernels, strides):
    side, step = 0, 1
    for kernel, stride in zip(kernels, strides, strict=True):
        side += kernel * step
        step *= stride
    return side


def stride_just_before(kernels, strides):
    side, before = 1, 1
    for kernel, stride in zip(kernels, strides, strict=True):
        side += (kernel - 1) * before
        before = stride
    return side


def two_for_every_layer(kernels, strides):
    side, step = 1, 1
    for stride in strides:
        side += 2 * step
        step *= stride
    return side


def from_the_wrong_end(kernels, strides):
    return side_by_loop(list(reversed(kernels)), list(reversed(strides)))


def eats_its_input(kernels, strides):
    side = 1
    while kernels:
        side = (side - 1) * strides.pop() + kernels.pop()
    return side


def too_short(inputs, kernel, stride):
    counts = torch.zeros(inputs * stride)
    for n in range(inputs):
        counts[n * stride : n * stride + kernel] += 1
    return counts


def written_at_all(inputs, kernel, stride):
    counts = np.zeros((inputs - 1) * stride + kernel)
    for n in range(inputs):
        counts[n * stride : n * stride + kernel] = 1
    return counts


def shares(inputs, kernel, stride):
    counts = writes_by_loop(inputs, kernel, stride)
    return counts / counts.sum()


def plane(inputs, kernel, stride):
    counts = writes_by_loop(inputs, kernel, stride)
    return counts[:, None] * counts


WRONG = {
    "convolve": [
        (lambda x, k, s: convolve_by_loop(x, k.flip((0, 1)), s), "you flip the kernel"),
        (lambda x, k, s: convolve_by_loop(x, k.t(), s), "rows and columns of the kernel"),
        (lambda x, k, s: convolve_by_loop(x, k, 1), "whatever the stride is"),
        (lambda x, k, s: convolve_by_loop(x, k, 1)[::s, :], "from row to row, but from column"),
        (lambda x, k, s: convolve_by_loop(x, k, 1)[:, ::s], "from column to column, but from row"),
        (bordered, "a border of black pixels"),
        (lambda x, k, s: convolve_by_loop(x, k / k.numel(), s), "you average"),
        (lambda x, k, s: convolve_by_loop(x, k, k.shape[0]), "windows never overlap"),
        (lambda x, k, s: F.conv2d(x[None, None], k[None, None], stride=s), "has shape (1, 1, 3, 4), should be (3, 4)"),
        (lambda x, k, s: (x * k).sum(), "raised RuntimeError"),
    ],
    "receptive_side": [
        (lambda k, s: sum(k) - len(k) + 1, "the strides are missing"),
        (own_stride_first, "a layer's own stride"),
        (whole_kernels, "with its whole kernel"),
        (stride_just_before, "the layer just before it"),
        (two_for_every_layer, "as if all kernels were 3 wide"),
        (lambda k, s: int(np.prod(k)), "you multiply the kernels"),
        (lambda k, s: sum(k), "you add up the kernels"),
        (lambda k, s: int(np.prod(s)), "neighbours of the last map"),
        (from_the_wrong_end, "from the last to the first"),
        (lambda k, s: side_by_loop(k, s) ** 2, "the number of pixels in the field"),
        (eats_its_input, "changes its input `kernels, strides`"),
    ],
    "writes": [
        (lambda n, k, s: np.ones(n * k), "your patches lie side by side"),
        (too_short, "`inputs · stride` pixels long"),
        (lambda n, k, s: writes_by_loop(n, k, 1), "one pixel apart"),
        (written_at_all, "only *whether* a pixel is written"),
        (lambda n, k, s: writes_by_numpy(n, s, k), "kernel and stride are exchanged"),
        (shares, "a share of all writings"),
        (lambda n, k, s: writes_by_loop(n - 1, k, s), "one patch is missing"),
        (plane, "in two dimensions"),
        (lambda n, k, s: writes_by_loop(n, k, s).max(), "should be (7,)"),
    ],
}
