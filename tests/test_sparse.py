"""Sparse autoencoders, and the measures of sparse codes."""

import numpy as np
import pytest
import torch

import aecourse as ae
from aecourse.models import (
    KLSparseAutoencoder,
    L1Autoencoder,
    SparseAutoencoder,
    TopKAutoencoder,
    bernoulli_kl,
)


@pytest.fixture
def points():
    return torch.rand(40, 6, generator=torch.Generator().manual_seed(0))


def build(kind, **arguments):
    return kind(12, image_shape=(6,), **arguments)


@pytest.mark.parametrize("kind", [SparseAutoencoder, L1Autoencoder, KLSparseAutoencoder, TopKAutoencoder])
def test_a_vector_that_is_no_image_is_coded_and_comes_back_in_its_own_shape(kind, points):
    model = kind(30, image_shape=(6,))
    assert model.encode(points).shape == (40, 30)
    assert model(points).shape == (40, 6)


def test_a_reconstruction_is_the_bias_plus_the_atoms_weighted_by_the_code(points):
    model = build(TopKAutoencoder, active=3).centre(points)
    code, atoms = model.encode(points).detach().numpy(), model.atoms.detach().numpy()
    by_hand = model.bias.detach().numpy() + sum(code[:, j, None] * atoms[j] for j in range(12))
    np.testing.assert_allclose(model(points).detach().numpy(), by_hand, atol=1e-5)


def test_atoms_have_norm_one_before_and_after_training(points):
    model = build(L1Autoencoder)
    before = model.atoms.norm(dim=1)
    ae.training.fit(model, points, epochs=3, lr=0.1)
    assert model.dictionary.norm(dim=1).sub(1).abs().max() > 0.01  # what is trained has moved off the sphere
    for norms in (before, model.atoms.norm(dim=1)):
        torch.testing.assert_close(norms, torch.ones(12))


def test_the_encoder_begins_as_the_transposed_decoder():
    model = build(SparseAutoencoder, seed=3)
    torch.testing.assert_close(model.encoder.weight, model.atoms)


def test_a_centred_model_begins_at_the_mean_and_says_so_itself(points):
    model = build(SparseAutoencoder)
    assert model.centre(points) is model
    torch.testing.assert_close(model.decode(torch.zeros(1, 12))[0], points.mean(0))


def test_without_a_penalty_the_total_is_the_reconstruction(points):
    terms = build(SparseAutoencoder).loss(points)
    assert terms["penalty"] == 0
    assert terms["total"] == terms["reconstruction"] > 0


def test_the_l1_penalty_is_the_weight_times_the_sum_of_each_code(points):
    model = build(L1Autoencoder, weight=0.3)
    by_hand = 0.3 * np.maximum(model.encode(points).detach().numpy(), 0).sum(1).mean()
    assert model.loss(points)["penalty"].item() == pytest.approx(by_hand, rel=1e-5)


def test_the_kl_penalty_equals_the_formula_in_numpy(points):
    model = build(KLSparseAutoencoder, rho=0.1, weight=2.0)
    mean = model.encode(points).detach().double().numpy().mean(0)
    by_hand = 2 * (0.1 * np.log(0.1 / mean) + 0.9 * np.log(0.9 / (1 - mean))).sum()
    assert by_hand > 0
    assert model.loss(points)["penalty"].item() == pytest.approx(by_hand, rel=1e-4)


def test_the_bernoulli_kl_equals_the_librarys_and_is_zero_only_where_both_agree():
    activity = torch.tensor([0.01, 0.05, 0.3])
    coins = [torch.distributions.Bernoulli(probs) for probs in (torch.full((3,), 0.05), activity)]
    found = bernoulli_kl(0.05, activity)
    torch.testing.assert_close(found, torch.distributions.kl_divergence(*coins))
    assert (found > 1e-3).tolist() == [True, False, True]


def test_a_unit_that_is_never_or_always_active_costs_a_finite_price():
    assert torch.isfinite(bernoulli_kl(0.05, torch.tensor([0.0, 1.0]))).all()


def test_units_of_the_kl_model_begin_near_rho(points):
    model = KLSparseAutoencoder(200, rho=0.02, image_shape=(6,)).centre(points)
    assert model.encode(points).mean().item() == pytest.approx(0.02, abs=0.005)


def test_top_k_keeps_the_largest_inputs_as_they_are_and_no_others(points):
    model, free = build(TopKAutoencoder, active=2), build(SparseAutoencoder)
    code, dense = model.encode(points), free.encode(points)
    assert ((code != 0).sum(1) <= 2).all()
    torch.testing.assert_close(code.sum(1), dense.topk(2).values.sum(1))
    assert torch.equal(code[code != 0], dense[code != 0])


def test_top_k_sends_gradient_to_active_units_only(points):
    model = build(TopKAutoencoder, active=3)
    model.loss(points[:1])["total"].backward()
    active, moved = model.encode(points[:1])[0] != 0, (model.encoder.weight.grad != 0).any(1)
    assert active.sum() == 3
    assert torch.equal(moved, active)


def test_top_k_learns_the_atoms_that_the_data_are_made_of():
    random = torch.Generator().manual_seed(1)
    true = torch.eye(8)
    codes = torch.rand(400, 8, generator=random) * (torch.rand(400, 8, generator=random) < 0.15)
    model = TopKAutoencoder(16, active=3, image_shape=(8,))
    ae.training.fit(model, codes @ true, epochs=40, batch_size=50, lr=ae.training.cosine(0.02))
    nearest = (true @ model.atoms.detach().T).max(1).values
    before = (true @ TopKAutoencoder(16, image_shape=(8,), active=3).atoms.detach().T).max(1).values
    assert before.mean() < 0.8 < 0.95 < nearest.mean()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"active": 0}, "got active=0, expected a whole number from 1 to 12"),
        ({"active": 13}, "from 1 to 12"),
        ({"active": 2.5}, "whole number"),
        ({"active": True}, "got active=True, expected a whole number"),
    ],
)
def test_a_number_of_active_units_that_cannot_be_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        build(TopKAutoencoder, **arguments)


@pytest.mark.parametrize("rho", [0, 1, -0.1, float("nan"), "few"])
def test_a_mean_activity_outside_0_and_1_is_refused(rho):
    with pytest.raises(ValueError, match=r"got rho=.*, expected a (mean activity between 0 and 1|finite number of at)"):
        build(KLSparseAutoencoder, rho=rho)


@pytest.mark.parametrize("weight", [-1, float("inf"), float("nan"), "much"])
def test_a_weight_that_is_negative_or_not_finite_is_refused(weight):
    for kind in (L1Autoencoder, KLSparseAutoencoder):
        with pytest.raises(ValueError, match="finite number of at least 0"):
            build(kind, weight=weight)


@pytest.mark.parametrize("kind", [SparseAutoencoder, L1Autoencoder, KLSparseAutoencoder, TopKAutoencoder])
def test_a_bad_size_shape_or_seed_is_refused_by_every_kind(kind):
    for arguments, message in (
        ({"latent_dim": 0}, "got latent_dim=0, expected a whole number of at least 1"),
        ({"latent_dim": 2.5}, "got latent_dim=2.5"),
        ({"image_shape": 784}, "got image_shape 784, expected at least one whole number above 0, channels first"),
        ({"image_shape": (1, 0)}, r"got image_shape \(1, 0\)"),
        ({"seed": -1}, "got seed=-1"),
    ):
        with pytest.raises(ValueError, match=message):
            kind(**arguments)


def test_images_in_colour_are_coded_in_their_own_shape_and_labels_are_refused():
    model = TopKAutoencoder(30, image_shape=(3, 4, 5))
    images = torch.rand(8, 3, 4, 5, generator=torch.Generator().manual_seed(0))
    assert model.centre(images)(images).shape == images.shape
    with pytest.raises(ValueError, match="got 2 tensors, expected images alone"):
        model.check(images, torch.zeros(8))


CODES = torch.tensor([[0.0, 3.0, 4.0, 0.0], [0.0, 0.0, 5.0, 0.0], [0.0, -1.0, 1.0, 1.0]])


def test_active_units_are_counted_for_each_image_and_each_unit():
    assert ae.evaluate.active_counts(CODES).tolist() == [2, 1, 3]
    torch.testing.assert_close(ae.evaluate.activity(CODES), torch.tensor([0, 2 / 3, 1, 1 / 3]))
    assert ae.evaluate.dead_units(CODES) == 1


def test_hoyers_measure_is_0_for_equal_numbers_and_1_for_a_single_one():
    found = ae.evaluate.hoyer(torch.tensor([[2.0, 2, 2, 2], [0, 0, 5, 0], [0, 3, 4, 0]]))
    torch.testing.assert_close(found, torch.tensor([0.0, 1.0, 2 - 7 / 5]))


def test_keep_largest_goes_by_magnitude_and_keeps_the_sign():
    codes = torch.tensor([[1.0, -3, 2, 0], [4, 5, -6, 7]])
    assert ae.evaluate.keep_largest(codes, 2).tolist() == [[0, -3, 2, 0], [0, 0, -6, 7]]
    assert torch.equal(ae.evaluate.keep_largest(codes, 4), codes)
    with pytest.raises(ValueError, match="only 4 numbers"):
        ae.evaluate.keep_largest(codes, 5)


def test_a_refit_keeps_the_choice_and_undoes_the_shrinkage():
    random = torch.Generator().manual_seed(0)
    atoms = torch.nn.functional.normalize(torch.randn(9, 12, generator=random), dim=1)
    whole = torch.randn(20, 9, generator=random) * (torch.rand(20, 9, generator=random) < 0.4)
    points = whole @ atoms
    assert torch.allclose(ae.evaluate.refit(whole.sign() * 0.1, atoms, points), whole, atol=1e-4)
    codes = whole.clone()
    codes[:, :3] = 0  # a choice that has missed some
    found = ae.evaluate.refit(codes, atoms, points)
    assert (found[codes == 0] == 0).all()
    slope = (points - found @ atoms) @ atoms.T
    assert slope[codes != 0].abs().max() < 1e-4, "what is left must be at right angles to all chosen atoms"


def test_a_refit_of_a_code_of_zeros_is_a_code_of_zeros():
    assert (ae.evaluate.refit(torch.zeros(2, 3), torch.eye(3), torch.ones(2, 3)) == 0).all()


def test_a_refit_takes_a_point_for_each_code():
    with pytest.raises(ValueError, match="shorter"):
        ae.evaluate.refit(torch.ones(2, 3), torch.eye(3), torch.ones(1, 3))


def test_pursuit_finds_the_two_atoms_that_a_point_is_made_of():
    atoms = torch.nn.functional.normalize(torch.randn(20, 10, generator=torch.Generator().manual_seed(4)), dim=1)
    points = (2 * atoms[3] - atoms[11])[None]
    codes = ae.evaluate.pursuit(atoms, points, 2)
    assert codes.nonzero()[:, 1].tolist() == [3, 11]
    torch.testing.assert_close(codes @ atoms, points, atol=1e-4, rtol=1e-4)


def test_a_dictionary_without_an_encoder_finds_the_directions_of_the_data():
    random = torch.Generator().manual_seed(2)
    codes = torch.rand(6000, 6, generator=random) * (torch.rand(6000, 6, generator=random) < 0.2)
    atoms = ae.evaluate.classic_dictionary(codes @ (3 * torch.eye(6)), 6)
    assert atoms.shape == (6, 6)
    torch.testing.assert_close(atoms.norm(dim=1), torch.ones(6))
    assert atoms.abs().max(0).values.mean() > 0.9


def test_pictures_of_atoms_put_0_at_mid_grey_and_the_strongest_value_at_black_or_white():
    found = ae.evaluate.pictures(torch.tensor([[0.0, -2, 1, 0], [0, 0, 0, 0]]), (1, 2, 2))
    assert found.shape == (2, 1, 2, 2)
    assert found.flatten(1).tolist() == [[0.5, 0, 0.75, 0.5], [0.5] * 4]


def test_selectivity_is_the_commonest_class_among_the_images_that_excite_a_unit_most():
    codes = torch.tensor([[9.0, 0.0, 1.0], [8, 0, 2], [7, 1, 3], [0, 0, 4]])
    labels = torch.tensor([2, 2, 0, 1])
    label, share = ae.evaluate.selectivity(codes, labels, images=3)
    assert label[0] == 2
    assert share[0].item() == pytest.approx(2 / 3)
    assert share.isnan().tolist() == [False, True, False]


def test_contrast_is_the_mean_on_a_class_minus_the_mean_on_the_others():
    codes, labels = torch.tensor([[1.0, 0], [3, 0], [0, 4]]), torch.tensor([0, 0, 1])
    assert ae.evaluate.contrast(codes, labels).tolist() == [[2, -4], [-2, 4]]


def test_switching_off_takes_away_what_the_units_add_and_nothing_else(points):
    model = build(TopKAutoencoder, active=4).centre(points)
    codes, units = model.encode(points).detach(), torch.tensor([1, 5])
    without = codes.clone()
    without[:, units] = 0
    moved = ae.evaluate.switch_off(points, codes, model.atoms, units)
    torch.testing.assert_close(moved - points, (model.decode(without) - model.decode(codes)).detach())
    assert (moved != points).any()
    off = ae.evaluate.switch_off(points, points, torch.eye(6), torch.tensor([2]))
    assert (off[:, 2] == 0).all()
    assert torch.equal(off[:, 3], points[:, 3])


def test_an_equally_active_unit_is_another_one_and_taken_once():
    activity = torch.tensor([1.0, 1.1, 5.0, 4.0, 0.9, 0.0])
    assert ae.evaluate.equally_active(activity, torch.tensor([0, 2])).tolist() == [1, 3]
    assert ae.evaluate.equally_active(activity, torch.tensor([2, 3])).tolist() == [1, 0]
    with pytest.raises(ValueError, match="at most half of all, which are 6"):
        ae.evaluate.equally_active(activity, torch.arange(4))


def test_codes_of_other_points_or_of_a_wrong_shape_are_refused(points):
    model = build(SparseAutoencoder)
    codes = model.encode(points).detach()
    with pytest.raises(ValueError, match="codes must be those of the same points"):
        ae.evaluate.switch_off(points[:5], codes, model.atoms, torch.tensor([0]))
    for wrong in (codes[0], codes[:0], [1.0]):
        with pytest.raises(ValueError, match=r"expected codes of shape \(N, k\)"):
            ae.evaluate.activity(wrong)
    with pytest.raises(ValueError, match="there are only 40 codes"):
        ae.evaluate.selectivity(codes, torch.zeros(40, dtype=torch.long))


@pytest.mark.parametrize("kind", [SparseAutoencoder, KLSparseAutoencoder, TopKAutoencoder])
def test_a_code_says_how_far_a_point_lies_from_the_bias_along_each_unit(kind, points):
    model = build(kind, **({"active": 12} if kind is TopKAutoencoder else {})).centre(points)
    model.encoder.bias.data.uniform_(-0.5, 0.5, generator=torch.Generator().manual_seed(0))
    inputs = (points - points.mean(0)) @ model.encoder.weight.T + model.encoder.bias
    wanted = inputs.sigmoid() if kind is KLSparseAutoencoder else inputs.clamp(min=0)
    torch.testing.assert_close(model.encode(points), wanted)


def test_without_its_centre_a_model_counts_from_black_and_no_unit_is_preferred(monkeypatch):
    def skip_init(kind, *sizes):
        layer = kind(*sizes)
        for weight in layer.parameters():  # as memory that nobody has written may look
            weight.data.fill_(float("nan"))
        return layer

    monkeypatch.setattr(torch.nn.utils, "skip_init", skip_init)
    model = build(SparseAutoencoder)
    assert not model.bias.any()
    assert not model.encoder.bias.any()
    assert model.encoder.weight.isfinite().all()


@pytest.mark.parametrize("rho", [0.05, 0.3, 0.8])
def test_where_all_codes_count_from_every_unit_begins_at_rho(rho):
    torch.testing.assert_close(build(KLSparseAutoencoder, rho=rho).encode(torch.zeros(1, 6)), torch.full((1, 12), rho))


def test_where_fewer_units_are_positive_than_may_be_active_no_other_is():
    model = build(TopKAutoencoder, active=3)
    inputs = torch.tensor([[-1.0, 2, -3, 0.5, -2], [4, 3, 2, 1, -1]])
    assert model.activate(inputs).tolist() == [[0, 2, 0, 0.5, 0], [4, 3, 2, 0, 0]]


@pytest.mark.parametrize("kind", [SparseAutoencoder, KLSparseAutoencoder])
def test_a_point_of_no_numbers_and_a_mean_activity_above_1_are_refused(kind):
    with pytest.raises(ValueError, match=r"got image_shape \(\), expected at least one whole number"):
        kind(12, image_shape=())
    with pytest.raises(ValueError, match=r"got rho=1\.5, expected a finite number of at least 0 and at most 1"):
        KLSparseAutoencoder(12, rho=1.5)
