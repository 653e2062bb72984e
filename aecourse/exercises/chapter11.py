"""The questions of chapter 11: a convolution, what it sees, and how often the way up writes."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from .checking import Question


def _windows(random: torch.Generator) -> list[tuple]:
    edge = torch.tensor([[-1.0, 0.0, 1.0]] * 3)
    wall = torch.zeros(5, 6)
    wall[:, 3:] = 1
    corner = torch.tensor([[1.0, 2.0], [0.0, -1.0]])
    cases = [(wall, edge, 1), (torch.arange(16.0).reshape(4, 4), corner, 2)]
    for rows, columns, side, stride in [(7, 7, 3, 2), (9, 6, 2, 1), (8, 8, 3, 1), (11, 9, 5, 3), (9, 12, 3, 2)]:
        cases.append((torch.rand(rows, columns, generator=random), torch.randn(side, side, generator=random), stride))
    return cases


def _layers(random: torch.Generator) -> list[tuple]:
    cases = [([3], [1]), ([3, 3], [1, 1]), ([3, 3, 3], [2, 2, 2]), ([5, 3], [2, 1])]
    for count in (3, 4, 5, 2, 4):
        kernels = (torch.randint(1, 5, (count,), generator=random) + 1).tolist()
        strides = torch.randint(1, 4, (count,), generator=random).tolist()
        cases.append((kernels, strides))
    return cases


def _ups(random: torch.Generator) -> list[tuple]:
    fixed = [(3, 3, 2), (3, 4, 2), (4, 2, 2), (2, 3, 1), (5, 5, 3)]
    drawn = torch.randint(2, 6, (5, 3), generator=random).tolist()
    return fixed + [(n, max(kernel, stride), stride) for n, kernel, stride in drawn]


def _convolve(image: Tensor, kernel: Tensor, stride: int) -> Tensor:
    return F.conv2d(image[None, None], kernel[None, None], stride=stride)[0, 0]


def _field(kernels: list[int], strides: list[int]) -> int:
    side, step = 1, 1
    for kernel, stride in zip(kernels, strides, strict=True):
        side += (kernel - 1) * step
        step *= stride
    return side


def _field_with_own_stride(kernels: list[int], strides: list[int]) -> int:
    side, step = 1, 1
    for kernel, stride in zip(kernels, strides, strict=True):
        step *= stride
        side += (kernel - 1) * step
    return side


def _field_with_whole_kernels(kernels: list[int], strides: list[int]) -> int:
    side, step = 0, 1
    for kernel, stride in zip(kernels, strides, strict=True):
        side += kernel * step
        step *= stride
    return side


def _field_with_last_stride(kernels: list[int], strides: list[int]) -> int:
    pairs = zip(kernels[1:], strides[:-1], strict=True)
    return kernels[0] + sum((kernel - 1) * stride for kernel, stride in pairs)


def _product(numbers: list[int]) -> int:
    return int(torch.tensor(numbers).prod())


def _writes(inputs: int, kernel: int, stride: int) -> Tensor:
    return F.conv_transpose1d(torch.ones(1, 1, inputs), torch.ones(1, 1, kernel), stride=stride)[0, 0]


QUESTIONS = [
    Question("convolve(image, kernel, stride)", _windows, _convolve).with_mistakes(
        lambda x, k, s: _convolve(x, k.flip(0, 1), s),
        "you flip the kernel. Mathematicians do, networks don't: the kernel's top left weight lies on the window's "
        "top left pixel",
        lambda x, k, s: _convolve(x, k.T, s),
        "rows and columns of the kernel are exchanged",
        lambda x, k, s: _convolve(x, k, 1),
        "your window moves by one pixel whatever the stride is",
        lambda x, k, s: _convolve(x, k, 1)[::s],
        "your stride works from row to row, but from column to column the window moves by one",
        lambda x, k, s: _convolve(x, k, 1)[:, ::s],
        "your stride works from column to column, but from row to row the window moves by one",
        lambda x, k, s: F.conv2d(x[None, None], k[None, None], stride=s, padding=len(k) // 2)[0, 0],
        "you add a border of black pixels. Asked are only the places where the window lies inside the image",
        lambda x, k, s: _convolve(x, k, s) / k.numel(),
        "you average over the window. A convolution adds up",
        lambda x, k, s: _convolve(x, k, len(k)),
        "your window jumps by its own width, so that windows never overlap. It moves by `stride`",
    ),
    Question("receptive_side(kernels, strides)", _layers, _field).with_mistakes(
        lambda k, s: 1 + sum(each - 1 for each in k),
        "the strides are missing. After a layer with stride 2 one step is two pixels",
        _field_with_own_stride,
        "you count a layer's own stride. Its windows are laid on the map *before* it, and its stride matters only to "
        "the layers that follow",
        _field_with_whole_kernels,
        "you count every layer with its whole kernel. Neighbouring windows share pixels, so a layer adds one step "
        "less than its kernel is wide",
        _field_with_last_stride,
        "for each layer you count only the stride of the layer just before it. The strides of all earlier layers act "
        "together",
        lambda k, s: _field([3] * len(k), s),
        "every layer adds two steps in your count, as if all kernels were 3 wide. They may differ",
        lambda k, s: _product(k),
        "you multiply the kernels, as if windows never overlapped",
        lambda k, s: sum(k),
        "you add up the kernels. That leaves out the strides, and neighbouring windows share pixels",
        lambda k, s: _product(s),
        "this is how far apart two neighbours of the last map lie. Asked is how much one of them sees",
        lambda k, s: _field(k[::-1], s[::-1]),
        "you go through the layers from the last to the first, but count as if it were from the first to the last",
        lambda k, s: _field(k, s) ** 2,
        "this is the number of pixels in the field. Asked is its side",
    ),
    Question("writes(inputs, kernel, stride)", _ups, _writes).with_mistakes(
        lambda n, k, s: torch.ones(n * k),
        "your patches lie side by side. They begin `stride` pixels apart, and where they overlap they add up",
        lambda n, k, s: _writes(n, k, s)[: n * s],
        "your output is `inputs · stride` pixels long. The last patch reaches further: it begins at (inputs − 1) · "
        "stride and is `kernel` wide",
        lambda n, k, s: _writes(n, k, 1),
        "your patches begin one pixel apart, whatever the stride is",
        lambda n, k, s: _writes(n, k, s).clamp(max=1),
        "you count only *whether* a pixel is written. Where patches overlap it is written more than once",
        lambda n, k, s: _writes(n, s, k),
        "kernel and stride are exchanged: the patch is `kernel` wide and the next one begins `stride` further on",
        lambda n, k, s: _writes(n, k, s) / (n * k),
        "this is a share of all writings. Asked is how often each pixel is written",
        lambda n, k, s: _writes(n - 1, k, s),
        "one patch is missing: there is one for each of the `inputs` numbers",
        lambda n, k, s: torch.outer(_writes(n, k, s), _writes(n, k, s)),
        "these are the counts in two dimensions. Asked is one row",
    ),
]
