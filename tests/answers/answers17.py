"""Answers to the questions of chapter 17: right ones, written in different ways, and wrong ones with their hints."""

import math

import numpy as np
import torch


def mix_by_broadcasting(z, epsilon, phi):
    c, s = torch.cos(phi)[:, None], torch.sin(phi)[:, None]
    return c * z + s * epsilon, c * epsilon - s * z


def mix_by_loop(z, epsilon, phi):
    mixed, velocity = torch.empty_like(z), torch.empty_like(z)
    for i, angle in enumerate(phi.tolist()):
        mixed[i] = math.cos(angle) * z[i] + math.sin(angle) * epsilon[i]
        velocity[i] = -math.sin(angle) * z[i] + math.cos(angle) * epsilon[i]
    return mixed, velocity


def mix_by_complex_numbers(z, epsilon, phi):
    turned = torch.complex(z, -epsilon) * torch.polar(torch.ones_like(phi), phi)[:, None]
    return [turned.real, -turned.imag]


def mix_by_quarter_turn(z, epsilon, phi):
    def at(angle):
        return angle.cos()[:, None] * z + angle.sin()[:, None] * epsilon

    return at(phi), at(phi + math.pi / 2)


def back_by_formula(state, velocity, steps):
    delta = math.pi / 2 / steps
    return math.cos(delta) * state - math.sin(delta) * velocity


def back_by_numpy(state, velocity, steps):
    return np.cos(np.pi / (2 * steps)) * state.numpy() - np.sin(np.pi / (2 * steps)) * velocity.numpy()


def back_by_degrees(state, velocity, steps):
    delta = math.radians(90 / steps)
    return state * math.cos(delta) + velocity * math.sin(-delta)


def kernel(first, second):
    return torch.exp(-torch.cdist(first, second).square() / 2)


def mmd_by_mask(codes, draws):
    other = ~torch.eye(len(codes), dtype=torch.bool)
    return kernel(codes, codes)[other].mean() + kernel(draws, draws)[other].mean() - 2 * kernel(codes, draws).mean()


def mmd_by_sums(codes, draws):
    n = len(codes)
    within = sum((kernel(each, each).sum() - n) / (n * (n - 1)) for each in (codes, draws))
    return (within - 2 * kernel(codes, draws).sum() / n**2).item()


def mmd_by_loops(codes, draws):
    a, b = codes.double().numpy(), draws.double().numpy()
    n = len(a)

    def k(x, y):
        return math.exp(-((x - y) ** 2).sum() / 2)

    pairs = [(i, j) for i in range(n) for j in range(n) if i != j]
    within = sum(k(a[i], a[j]) + k(b[i], b[j]) for i, j in pairs) / len(pairs)
    return within - 2 * sum(k(x, y) for x in a for y in b) / n**2


def straight(z, epsilon, phi):
    share = 2 * phi[:, None] / math.pi
    return z + share * (epsilon - z), epsilon - z


def minus(pair):
    return pair[0], -pair[1]


def forgets_the_rows(z, epsilon, phi):
    return phi.cos() * z + phi.sin() * epsilon, phi.cos() * epsilon - phi.sin() * z


def with_itself(codes, draws):
    return kernel(codes, codes).mean() + kernel(draws, draws).mean() - 2 * kernel(codes, draws).mean()


def divided_by_all(codes, draws):
    n = len(codes)
    within = sum((kernel(each, each).sum() - n) / n**2 for each in (codes, draws))
    return within - 2 * kernel(codes, draws).mean()


def of_distances(codes, draws):
    def close(first, second):
        return torch.exp(-torch.cdist(first, second) / 2)

    n = len(codes)
    within = sum((close(each, each).sum() - n) / (n * (n - 1)) for each in (codes, draws))
    return within - 2 * close(codes, draws).mean()


RIGHT = {
    "mix": [mix_by_broadcasting, mix_by_loop, mix_by_complex_numbers, mix_by_quarter_turn],
    "step_back": [back_by_formula, back_by_numpy, back_by_degrees],
    "squared_mmd": [mmd_by_mask, mmd_by_sums, mmd_by_loops],
}

WRONG = {
    "mix": [
        (lambda z, e, p: mix_by_loop(e, z, p), "code and noise are exchanged"),
        (lambda z, e, p: minus(mix_by_loop(z, e, p)), "the velocity has the wrong sign"),
        (straight, "this is the straight way"),
        (lambda z, e, p: (mix_by_loop(z, e, p)[0], e - z), "the velocity is that of the straight way"),
        (
            lambda z, e, p: (mix_by_loop(z, e, p)[0], p.cos()[:, None] * z - p.sin()[:, None] * e),
            "the velocity is no derivative",
        ),
        (
            lambda z, e, p: (mix_by_loop(z, e, p)[0], p.sin()[:, None] * z + p.cos()[:, None] * e),
            "the minus sign is missing",
        ),
        (lambda z, e, p: mix_by_loop(z, e, p)[::-1], "the two results are exchanged"),
        (lambda z, e, p: mix_by_loop(z, e, torch.deg2rad(p)), "you take φ for degrees"),
        (lambda z, e, p: mix_by_loop(z, e, p)[0], "expected 2 things"),
    ],
    "step_back": [
        (lambda s, v, n: back_by_formula(s, -v, n), "you walk on towards the noise"),
        (lambda s, v, n: s - math.pi / 2 / n * v, "you walk straight along the velocity"),
        (lambda s, v, n: math.cos(math.pi / n) * s - math.sin(math.pi / n) * v, "not half a circle"),
        (lambda s, v, n: math.cos(1 / n) * s - math.sin(1 / n) * v, "π/2, not 1"),
        (lambda s, v, n: math.cos(90 / n) * s - math.sin(90 / n) * v, "you take δ in degrees"),
        (lambda s, v, n: back_by_formula(-v, -s, n), "sine and cosine are exchanged"),
        (lambda s, v, n: back_by_formula(v, s, n), "state and velocity are exchanged"),
        (lambda s, v, n: back_by_formula(s, v, 1), "the whole way in one step"),
        (lambda s, v, n: s - math.sin(math.pi / 2 / n) * v, "you forget to turn the state itself"),
        (lambda s, v, n: back_by_formula(s, v, n).sum(1), "has shape"),
    ],
    "squared_mmd": [
        (with_itself, "you compare each point with itself"),
        (divided_by_all, "but still divide by N²"),
        (lambda c, d: mmd_by_mask(c, d) + kernel(c, d).mean(), "must be taken off twice"),
        (lambda c, d: -mmd_by_mask(c, d), "the sign is turned round"),
        (of_distances, "not its square, in the exponent"),
        (lambda c, d: mmd_by_mask(2**0.5 * c, 2**0.5 * d), "the ½ in the exponent is missing"),
        (lambda c, d: mmd_by_mask(c, d).clamp(min=0).sqrt(), "you take the square root"),
        (lambda c, d: mmd_by_mask(c, d).clamp(min=0), "you cut off what is below 0"),
        (lambda c, d: (mmd_by_mask(c, d) - 2 * kernel(c, d).mean()) / 2, "the number of ordered pairs"),
        (lambda c, d: mmd_by_mask(c / c.shape[1] ** 0.5, d / c.shape[1] ** 0.5), "a squared distance is their sum"),
        (lambda c, d: kernel(c, d), "should be a single number"),
    ],
}
