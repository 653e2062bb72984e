"""Masked models see only what is visible and pay only for what is hidden; the plain ways to fill holes, by hand."""

import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from aecourse import evaluate, models, training
from aecourse.models import attention


@pytest.fixture
def random():
    return torch.Generator().manual_seed(0)


@pytest.fixture
def images(random):
    return torch.rand(6, 1, 28, 28, generator=random)


@pytest.fixture
def notes(random):
    return torch.randint(59, 66, (5, 4, 2), generator=random)


def small(**rest):
    return models.MaskedAutoencoder(width=8, blocks=1, heads=2, **rest)


def small_notes(**rest):
    return models.MaskedNotes(4, 2, visible=3, low=59, high=65, width=12, blocks=1, heads=2, **rest)


def test_masks_are_different_places_and_the_same_for_the_same_seed():
    masks = evaluate.visible_places(20, 49, 12, seed=3)
    assert masks.shape == (20, 12)
    assert all(len(set(mask)) == 12 for mask in masks.tolist())
    assert torch.equal(masks, evaluate.visible_places(20, 49, 12, seed=3))
    assert not torch.equal(masks, evaluate.visible_places(20, 49, 12, seed=4))


def test_a_guess_depends_on_the_visible_patches_and_on_nothing_else(images):
    model, visible = small(), evaluate.visible_places(6)
    hidden = evaluate.hidden_pixels(visible) > 0
    assert hidden.flatten(1).sum(1).tolist() == [37 * 16] * 6
    other = torch.where(hidden, torch.rand(images.shape), images)
    torch.testing.assert_close(model(images, visible)[hidden], model(other, visible)[hidden])
    changed = torch.where(hidden, images, 1 - images)
    assert not torch.allclose(model(images, visible)[hidden], model(changed, visible)[hidden], atol=1e-4)


def test_visible_patches_stay_as_they_are(images):
    visible = evaluate.visible_places(6)
    shown = evaluate.hidden_pixels(visible) == 0
    filled = small()(images, visible)
    assert torch.equal(filled[shown], images[shown])
    assert not torch.equal(filled, images)


def test_the_loss_is_the_squared_error_of_the_hidden_pixels_alone(images, monkeypatch):
    model, order = small(), torch.rand(6, 49, generator=torch.Generator().manual_seed(4))
    monkeypatch.setattr(torch, "rand", lambda *shape, **rest: order)
    visible = order.argsort(1)[:, :12]
    by_hand = evaluate.hidden_errors(images, model(images, visible), visible).mean()
    terms = model.loss(images)
    assert terms["total"].item() == pytest.approx(by_hand.item(), rel=1e-5)
    assert terms["hidden"].item() == terms["total"].item()


def test_the_loss_of_notes_is_their_surprise_in_nats(notes, monkeypatch):
    model, order = small_notes(), torch.rand(5, 8, generator=torch.Generator().manual_seed(4))
    monkeypatch.setattr(torch, "rand", lambda *shape, **rest: order)
    visible = order.argsort(1)[:, :3]
    chances = model(notes, visible)
    assert chances.shape == (5, 4, 2, 8)
    torch.testing.assert_close(chances.exp().sum(3), torch.ones(5, 4, 2))
    surprise = -chances.gather(3, (notes - 58)[..., None]).flatten(1)
    hidden = torch.ones(5, 8).scatter(1, visible, 0.0)
    assert model.loss(notes)["total"].item() == pytest.approx((surprise * hidden).sum().item() / 5, rel=1e-5)


def test_every_weight_learns(images, notes):
    for model, data in ((small(), images), (small_notes(), notes)):
        model.loss(data)["total"].backward()
        gradients = {name: weight.grad for name, weight in model.named_parameters()}
        assert all(gradient is not None and torch.isfinite(gradient).all() for gradient in gradients.values())
        assert all(gradient.any() for name, gradient in gradients.items() if not name.endswith("bias"))


def test_features_are_a_row_of_numbers_for_each_image(images):
    assert small().encode(images).shape == (6, 8)


def test_building_a_model_leaves_the_random_state_alone_and_depends_on_its_seed():
    before = torch.get_rng_state()
    for build in (small, small_notes):
        first, again, other = (nn.utils.parameters_to_vector(build(seed=seed).parameters()) for seed in (1, 1, 2))
        assert torch.equal(first, again)
        assert not torch.equal(first, other)
    assert torch.equal(torch.get_rng_state(), before)


def test_bad_input_is_an_error_that_says_what_to_do(images, notes):
    with pytest.raises(ValueError, match=r"images.float\(\) / 255"):
        small()((images * 255).to(torch.uint8), evaluate.visible_places(6))
    with pytest.raises(ValueError, match="got images and reconstructions of shape"):
        evaluate.hidden_errors(images, images[:2], evaluate.visible_places(6))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: small(visible=49), "got visible=49, expected a whole number from 1 to 48"),
        (lambda: small(visible=0), "got visible=0, expected a whole number from 1 to 48"),
        (lambda: small(image_shape=(1, 4, 4)), "got visible=12, expected a whole number from 1 to 0"),
        (lambda: small(image_shape=(1, 27, 28)), r"got image_shape=\(1, 27, 28\), .* multiples of 4"),
        (lambda: models.MaskedAutoencoder(width=0), "got width=0, expected a whole number of at least 1"),
        (lambda: models.MaskedAutoencoder(heads=5), "got heads=5 and width=48, expected a width that the heads divide"),
        (lambda: models.MaskedAutoencoder(blocks=-1), "got blocks=-1, expected a whole number of at least 0"),
        (lambda: models.MaskedNotes(0), "got steps=0, expected a whole number of at least 1"),
        (lambda: models.MaskedNotes(voices=2.5), "got voices=2.5, expected a whole number"),
        (lambda: models.MaskedNotes(width=6, heads=2), "got width=6, expected a multiple of 4"),
        (lambda: models.MaskedNotes(low=60, high=59), "got high=59, expected a whole number from 60 to 127"),
        (lambda: models.MaskedNotes(low=-1), "got low=-1, expected a whole number from 0 to 127"),
        (lambda: models.MaskedNotes(seed=-1), "got seed=-1"),
    ],
)
def test_settings_that_make_no_masked_model_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (lambda notes: (notes.float(),), r"got torch.float32 of shape \(5, 4, 2\), .*ae.data.chorales.windows"),
        (lambda notes: (notes[0],), r"got torch.int64 of shape \(4, 2\), expected windows"),
        (lambda notes: (torch.tensor(60),), r"got torch.int64 of shape \(\), expected windows"),
        (lambda notes: (notes.tolist(),), "got list, expected windows, int64 of shape"),
        (
            lambda notes: (notes + 12,),
            r"got numbers from .* with −1 for a rest or pitches from 59 to 65; transpose them",
        ),
        (lambda notes: (notes - 61,), "got numbers from -2 to"),
        (lambda notes: (notes[:0],), "got no windows"),
        (lambda notes: (notes, notes), "got 2 tensors, expected windows alone"),
    ],
)
def test_windows_that_do_not_fit_are_refused(notes, data, message):
    model = small_notes()
    rests = torch.where(notes == 60, -1, notes)
    assert torch.equal(*model.check(rests), rests)
    with pytest.raises(ValueError, match=message):
        model.check(*data(notes))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda visible: visible.tolist(), "got visible places as a list"),
        (lambda visible: visible.int(), r"got visible places of dtype torch.int32 and shape \(5, 3\)"),
        (lambda visible: visible[0], r"and shape \(3,\), expected int64 \(5, K\)"),
        (lambda visible: visible[:4], r"and shape \(4, 3\)"),
        (lambda visible: visible[:, :0], r"and shape \(5, 0\)"),
        (
            lambda visible: visible + 8,
            r"got visible places from 8 to 15, .* different places, from 0 to 7; draw them with",
        ),
        (lambda visible: visible - 8, "got visible places from -8 to -1"),
        (lambda visible: visible[:, [0, 1, 0]], "got visible places of which one stands twice in a row"),
    ],
)
def test_visible_places_that_are_none_are_refused(images, notes, spoil, message):
    visible = torch.tensor([[0, 3, 7]]).repeat(5, 1)
    for model, data in ((small_notes(), notes), (small(image_shape=(1, 8, 16), visible=3), images[:5, :, :8, :16])):
        model(data, visible)
        with pytest.raises(ValueError, match=message):
            model(data, spoil(visible))


def test_visible_places_are_brought_to_the_device_of_the_model(images, notes):
    visible = evaluate.visible_places(6)
    elsewhere = small().to("meta")
    assert elsewhere.check_visible(visible, 6).device == elsewhere.device == torch.device("meta")
    assert elsewhere(images, visible).device == elsewhere.device
    assert small_notes().to("meta")(notes, evaluate.visible_places(5, 8, 3)).device == elsewhere.device


def test_hidden_patches_of_colour_images_of_any_size_are_predicted():
    images = torch.rand(20, 3, 8, 12, generator=torch.Generator().manual_seed(0))
    model, visible = small(visible=2, image_shape=(3, 8, 12)), evaluate.visible_places(20, 6, 2)
    history = training.fit(model, images, epochs=3, batch_size=5, lr=0.01)
    assert history.train["total"][-1] < history.train["total"][0]
    assert model.encode(images).shape == (20, 8)
    filled = model(images, visible)
    assert filled.shape == images.shape
    kept = torch.zeros(20, 6, dtype=torch.bool).scatter(1, visible, True)
    same = (models.to_patches(filled) == models.to_patches(images)).all(2)
    assert torch.equal(same, kept)
    with pytest.raises(ValueError, match="got 2 tensors, expected images alone"):
        model.check(images, torch.zeros(20))


def test_a_masked_model_learns_that_all_patches_of_an_image_are_alike():
    grey = torch.rand(200, 1, 1, 1, generator=torch.Generator().manual_seed(0)).expand(-1, 1, 28, 28).contiguous()
    model = small()
    before = training.mean_loss(model, grey)["total"]
    training.fit(model, grey, epochs=8, batch_size=20, lr=training.cosine(0.01, warmup=0.05))
    of_the_mean = 37 * 16 / 12  # the variance of a number spread evenly over 0 to 1
    assert training.mean_loss(model, grey)["total"] < 0.3 * of_the_mean < before


def test_learnt_guesses_fill_the_holes_of_any_number_of_images_and_nothing_else():
    model = small()
    images = torch.rand(503, 1, 28, 28, generator=torch.Generator().manual_seed(6))  # more than one batch
    visible = evaluate.visible_places(503)
    filled, hidden = evaluate.fill_learnt(model, images, visible), evaluate.hidden_pixels(visible) > 0
    assert not filled.requires_grad
    assert torch.equal(filled[~hidden], images[~hidden])
    for place in (0, 250, 502):  # each from its own image and its own mask
        alone = model(images[place : place + 1], visible[place : place + 1]).detach()[0]
        torch.testing.assert_close(filled[place], alone)
        assert (filled[place] - images[place])[hidden[place]].abs().mean() > 0.05


def test_an_images_content_is_multiplied_by_its_place_and_a_notes_is_added(images, notes, random):
    content, places = torch.randn(2, 3, 5, 8, generator=random)
    torch.testing.assert_close(small().join(content, places), (content + 1) * places)
    torch.testing.assert_close(small_notes().join(content, places), content + places)


# Plain ways to fill holes


def test_the_nearest_training_image_is_that_of_a_loop(images):
    train, visible = torch.rand(20, 1, 28, 28, generator=torch.Generator().manual_seed(5)), evaluate.visible_places(6)
    filled = evaluate.fill_nearest(train, images, visible)
    for image, result, mask in zip(images, filled, evaluate.hidden_pixels(visible) > 0, strict=True):
        nearest = min(train, key=lambda known: ((known - image)[~mask] ** 2).sum())
        assert torch.equal(result, torch.where(mask, nearest, image))


def test_the_linear_guess_is_ridge_regression(images):
    train, visible = torch.rand(900, 1, 28, 28, generator=torch.Generator().manual_seed(5)), evaluate.visible_places(6)
    train = (train + train.flip(3)) / 2  # a pixel tells of its mirror image
    filled = evaluate.fill_linear(train, images, visible, ridge=0.5)
    mask = (evaluate.hidden_pixels(visible)[0] > 0).flatten()
    known, target = (part.double().numpy() for part in (train.flatten(1)[:, ~mask], train.flatten(1)[:, mask]))
    x, y = known - known.mean(0), target - target.mean(0)
    weights = np.linalg.solve(x.T @ x / 899 + 0.5 * np.eye(192), x.T @ y / 899)
    by_hand = target.mean(0) + (images[0].flatten()[~mask].double().numpy() - known.mean(0)) @ weights
    np.testing.assert_allclose(filled[0].flatten()[mask].numpy(), by_hand, atol=1e-4)
    assert torch.equal(filled[0].flatten()[~mask], images[0].flatten()[~mask])


def test_a_hidden_note_is_held_from_the_nearest_visible_one_of_its_voice():
    windows = torch.tensor([[[70, 50], [71, 51], [72, 52], [73, 53], [74, 54]]])
    visible = torch.tensor([[0, 6]])  # the first voice at steps 0 and 3, the second nowhere
    held = evaluate.notes_held(windows, visible)[0]
    assert held[:, 0].tolist() == [70, 70, 73, 73, 73]
    assert held[:, 1].tolist() == [52] * 5  # its middle pitch


def test_notes_are_held_in_each_window_by_itself_as_in_a_loop(random):
    windows = torch.randint(40, 80, (7, 6, 3), generator=random)
    visible = evaluate.visible_places(7, 18, 4, seed=2)
    middle = windows.flatten(0, 1).median(0).values
    held = evaluate.notes_held(windows, visible)
    for window, places, result in zip(windows, visible.tolist(), held, strict=True):
        for step in range(6):
            for voice in range(3):
                seen = [place // 3 for place in places if place % 3 == voice]
                nearest = min(seen, key=lambda other: (abs(other - step), other), default=None)
                expected = middle[voice] if nearest is None else window[nearest, voice]
                assert result[step, voice] == expected


def test_of_two_equally_near_notes_the_earlier_is_held():
    windows = torch.tensor([[[70], [71], [72]]])
    assert evaluate.notes_held(windows, torch.tensor([[0, 2]]))[0, :, 0].tolist() == [70, 70, 72]


def test_the_linear_guess_of_notes_is_ridge_regression_on_what_stands_where(random):
    train = torch.randint(60, 63, (300, 3, 2), generator=random)
    train[:, 2, 1] = 122 - train[:, 0, 0]  # one note tells another
    windows, visible = train[:20], evaluate.visible_places(20, 6, 4, seed=1)
    windows[0, 0, 0] = 70  # a pitch that was never heard tells nothing, and is no error
    guesses = evaluate.notes_linear(train[20:], windows, visible, ridge=0.01)
    x, new = (torch.nn.functional.one_hot(each.flatten(1) - 60, 11).double().numpy() for each in (train[20:], windows))
    for window, places, guess, one in zip(windows.flatten(1), visible.tolist(), guesses.flatten(1), new, strict=True):
        hidden = [place for place in range(6) if place not in places]
        seen, wanted = x[:, places].reshape(280, -1), x[:, hidden].reshape(280, -1)
        a, b = seen - seen.mean(0), wanted - wanted.mean(0)
        weights = np.linalg.solve(a.T @ a / 279 + 0.01 * np.eye(44), a.T @ b / 279)
        scores = wanted.mean(0) + (one[places].reshape(-1) - seen.mean(0)) @ weights
        assert guess[hidden].tolist() == (60 + scores.reshape(-1, 11).argmax(1)).tolist()
        assert torch.equal(guess[places], window[places])
    both = torch.tensor([0 in places and 5 not in places for places in visible.tolist()])
    both[0] = False
    assert both.any()
    assert torch.equal(guesses[both][:, 2, 1], 122 - windows[both][:, 0, 0])


def test_the_guessed_notes_are_the_most_probable(notes):
    model, visible = small_notes(), evaluate.visible_places(5, 8, 3)
    guesses = evaluate.note_guesses(model, notes, visible)
    best = model(notes, visible).argmax(3)
    assert guesses.shape == notes.shape
    assert torch.equal(guesses, torch.where(best == 0, -1, best + 58))
    assert math.prod(guesses.shape) == 40


class Largest(TorchDispatchMode):
    """Keeps the number of elements of the largest tensor that torch makes."""

    size = 0

    def __torch_dispatch__(self, function, types, given=(), settings=None):
        made = function(*given, **(settings or {}))
        self.size = max(self.size, made.numel() if isinstance(made, torch.Tensor) else 0)
        return made


@pytest.mark.parametrize("fill", [evaluate.fill_nearest, evaluate.fill_linear])
def test_any_number_of_images_is_filled_a_few_at_a_time(fill, random):
    """Holes in 2,000 small images: all of them against all of 3,000 known ones would be 6 million distances."""
    train, images = (torch.rand(n, 1, 8, 8, generator=random) for n in (3000, 2000))
    visible = evaluate.visible_places(2000, 4, 2)
    with Largest() as largest:
        filled = fill(train, images, visible)
    assert largest.size <= 200 * 3000
    some = torch.tensor([3, 199, 200, 1999])
    assert torch.equal(fill(train, images[some], visible[some]), filled[some])


@pytest.mark.parametrize("fill", [evaluate.fill_nearest, evaluate.fill_linear])
def test_holes_in_colour_images_are_filled_by_all_their_channels(fill, random):
    train = torch.rand(300, 3, 8, 12, generator=random)
    images, visible = train[:5].clone(), evaluate.visible_places(5, 6, 4)
    hidden = evaluate.hidden_pixels(visible, (3, 8, 12)).expand_as(images) > 0
    assert hidden.flatten(1).sum(1).tolist() == [2 * 16 * 3] * 5
    filled = fill(train, images * ~hidden, visible)
    assert torch.equal(filled[~hidden], images[~hidden])
    if fill is evaluate.fill_nearest:
        assert torch.equal(filled, images)
    assert filled[hidden].std() > 0
    assert evaluate.hidden_errors(images, filled, visible).shape == (5,)


def test_what_fits_no_images_is_an_error_that_says_so(images, notes):
    visible = evaluate.visible_places(6)
    for call, message in (
        (lambda: evaluate.hidden_pixels(visible + 40), "got visible places from .* expected int64 .* from 0 to 48"),
        (lambda: evaluate.hidden_pixels(visible.float()), "got torch.float32"),
        (lambda: evaluate.hidden_pixels(visible.tolist()), "got list"),
        (lambda: evaluate.hidden_pixels(visible, (1, 30, 28)), "multiples of 4"),
        (lambda: evaluate.hidden_errors(images, images, visible[:5]), "the mask's pixels"),
        (lambda: evaluate.fill_nearest(images[..., :24], images, visible), r"got images of shape \(6, 1, 28, 24\)"),
        (lambda: evaluate.fill_nearest(images, images, visible[:5]), "got 6 and 5 rows, expected as many of each"),
        (lambda: evaluate.fill_learnt(small(), images, visible[:5]), "got 6 and 5 rows"),
        (lambda: evaluate.fill_linear(images, images, visible, ridge=-1), "got ridge=-1"),
        (lambda: evaluate.fill_linear(images * 255, images, visible), "divide by 255"),
        (lambda: evaluate.notes_held(notes, visible[:5]), "got visible places from .* from 0 to 7"),
        (lambda: evaluate.notes_held(notes[0], visible), r"got \(4, 2\), expected windows"),
        (lambda: evaluate.notes_linear(notes, notes[0], visible[:5]), r"got \(4, 2\), expected windows"),
        (lambda: evaluate.notes_linear(notes[0], notes, visible[:5] % 8), r"got \(4, 2\) to learn from"),
        (lambda: evaluate.notes_linear(notes, notes, visible[:5] % 8, ridge=-1), "got ridge=-1"),
    ):
        with pytest.raises(ValueError, match=message):
            call()


def test_the_place_of_a_note_says_first_its_step_and_then_its_voice():
    made = models.MaskedNotes(steps=8, voices=2, visible=4, width=16, blocks=1, heads=2)
    for places in (made.positions, made.decoder_queries):
        assert torch.equal(places, attention.sinusoidal_positions(8, 2, 16))


def test_keys_begin_equal_to_queries_where_notes_look_for_notes_like_them():
    made = models.MaskedNotes(steps=8, voices=2, visible=4, width=16, blocks=1, heads=2)
    layers = [layer for layer in made.modules() if isinstance(layer, attention.Attention)]
    assert len(layers) == 3
    assert all(torch.equal(layer.key.weight, layer.query.weight) for layer in layers)


def test_what_is_predicted_is_read_from_normed_tokens():
    made = models.MaskedAutoencoder()
    assert [type(layer).__name__ for layer in made.decoder] == ["Block", "LayerNorm", "Linear"]


@pytest.mark.parametrize("width", [0, 2.5, True])
def test_a_width_that_is_none_is_named(width):
    with pytest.raises(ValueError, match=f"got width={width}, expected a whole number of at least 1"):
        models.MaskedAutoencoder(width=width)


def test_a_visible_token_is_its_content_bound_to_its_place_and_an_answer_its_question(images):
    model, visible = small(), torch.tensor([[3, 48, 0], [7, 1, 2]]).repeat(3, 1)
    rows = torch.arange(6)[:, None]
    content = model.embed(models.to_patches(images))[rows, visible]
    seen = model.blocks((content + 1) * model.positions[visible])
    torch.testing.assert_close(model.encode_visible(models.to_patches(images), visible), seen)
    questions = model.decoder_queries.expand(6, -1, -1)
    answers = model.cross_attention(questions, seen)
    guesses = model.decoder((answers + 1) * questions)
    torch.testing.assert_close(model.predict(models.to_patches(images), visible), guesses)


def test_the_code_is_the_mean_of_the_tokens_of_all_patches(images):
    model = small()
    every = torch.arange(49).repeat(6, 1)
    tokens = model.encode_visible(models.to_patches(images), every)
    torch.testing.assert_close(model.encode(images), tokens.sum(1) / 49)


def test_a_rest_is_the_token_0_and_the_lowest_pitch_1(notes):
    model = small_notes()
    windows = torch.tensor([[[59, -1], [60, 65], [-1, -1], [59, 61]]])
    assert model.tokens(windows).tolist() == [[1, 0, 2, 7, 0, 0, 1, 3]]
    assert model(windows, torch.tensor([[0, 1, 2]])).isfinite().all()


def test_notes_may_be_all_midi_pitches_and_no_others():
    assert models.MaskedNotes(low=0, high=127, width=8, heads=2).decoder[-1].out_features == 129
    for settings, message in (
        ({"low": 128, "high": 128}, "got low=128, expected a whole number from 0 to 127"),
        ({"high": 128}, "got high=128, expected a whole number from 36 to 127"),
    ):
        with pytest.raises(ValueError, match=message):
            models.MaskedNotes(**settings)


@pytest.mark.parametrize("places", [[0, 3, 8], [-1, 3, 7]])
def test_one_place_that_is_none_is_enough_to_be_refused(notes, places):
    with pytest.raises(ValueError, match=f"got visible places from {places[0]} to {places[2]}, "):
        small_notes()(notes, torch.tensor([places]).repeat(5, 1))
