"""Attention against PyTorch's own, what it can and cannot know, and that patches come back as the image they were."""

import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from aecourse import evaluate, models, training
from aecourse.models import attention


@pytest.fixture
def random():
    return torch.Generator().manual_seed(0)


def test_attention_equals_torchs_own(random):
    queries, keys, values = (torch.randn(2, 3, n, 5, generator=random) for n in (4, 6, 6))
    read, weights = models.attend(queries, keys, values)
    torch.testing.assert_close(read, F.scaled_dot_product_attention(queries, keys, values))
    torch.testing.assert_close(weights.sum(-1), torch.ones(2, 3, 4))


def test_attention_of_three_tokens_by_hand():
    tokens = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]) * math.sqrt(math.sqrt(2))
    _, weights = models.attend(tokens, tokens, tokens)
    e = math.e
    by_hand = torch.tensor([[e, 1, e], [1, e, e], [e, e, e * e]])
    torch.testing.assert_close(weights, by_hand / by_hand.sum(1, keepdim=True))


def test_several_heads_equal_torchs_multihead_attention(random):
    ours, theirs = models.Attention(12, heads=3), nn.MultiheadAttention(12, 3, batch_first=True)
    parts = (ours.query, ours.key, ours.value)
    theirs.in_proj_weight.data = torch.cat([part.weight for part in parts])
    theirs.in_proj_bias.data = torch.cat([part.bias for part in parts])
    theirs.out_proj.load_state_dict(ours.out.state_dict())
    tokens, source = torch.randn(2, 4, 12, generator=random), torch.randn(2, 7, 12, generator=random)
    read, weights = theirs(tokens, source, source, average_attn_weights=False)
    torch.testing.assert_close(ours.with_weights(tokens, source)[0], read)
    torch.testing.assert_close(ours.with_weights(tokens, source)[1], weights)
    torch.testing.assert_close(ours(tokens), theirs(tokens, tokens, tokens)[0])


def test_a_block_does_not_know_the_order_of_its_tokens(random):
    block = models.Block(8, heads=2)
    tokens, order = torch.randn(2, 9, 8, generator=random), torch.randperm(9, generator=random)
    torch.testing.assert_close(block(tokens[:, order]), block(tokens)[:, order])
    assert not torch.allclose(block(tokens[:, order]), block(tokens), atol=0.01)


def test_without_places_the_code_of_shuffled_patches_is_the_same(random):
    images = torch.rand(3, 1, 28, 28, generator=random)
    shuffled = attention.to_images(models.to_patches(images)[:, torch.randperm(49, generator=random)])
    model = models.PatchAutoencoder(3, width=8, heads=2)
    assert not torch.allclose(model.encode(images), model.encode(shuffled), atol=1e-3)
    model.positions.data.fill_(1.0)
    torch.testing.assert_close(model.encode(images), model.encode(shuffled), rtol=1e-3, atol=1e-5)


def test_a_token_is_its_patch_multiplied_by_its_place_plus_its_place(random):
    images = torch.rand(3, 1, 28, 28, generator=random)
    model = models.PatchAutoencoder(3, width=8, heads=2)
    content = models.to_patches(images) @ model.embed.weight.T + model.embed.bias
    tokens = model.tokens(images)
    assert tokens.shape == (3, 49, 8)
    for place in (0, 1, 48):
        torch.testing.assert_close(tokens[:, place], (content[:, place] + 1) * model.positions[place])


def test_in_the_decoder_every_place_multiplies_the_code_by_its_question(random):
    model = models.PatchAutoencoder(3, width=8, heads=2)
    codes = torch.randn(2, 3, generator=random)
    answers = torch.einsum("pw,nw->npw", model.decoder_queries, model.from_code(codes))
    drawn = torch.sigmoid(model.decoder(answers))
    torch.testing.assert_close(model.decode(codes), models.to_images(drawn))


def test_patches_are_squares_row_by_row_and_make_up_the_image_again(random):
    images = torch.rand(2, 1, 28, 28, generator=random)
    patches = models.to_patches(images)
    assert patches.shape == (2, 49, 16)
    for place in (0, 6, 7, 48):
        row, column = divmod(place, 7)
        square = images[1, 0, 4 * row : 4 * row + 4, 4 * column : 4 * column + 4]
        assert torch.equal(patches[1, place], square.flatten())
    assert torch.equal(models.to_images(patches), images)


def test_patches_of_another_size_make_up_an_image_that_is_no_square(random):
    images = torch.rand(2, 1, 6, 9, generator=random)
    patches = models.to_patches(images, 3)
    assert patches.shape == (2, 6, 9)
    assert torch.equal(models.to_images(patches, (1, 6, 9)), images)


def test_a_patch_holds_its_square_of_every_colour_and_makes_up_the_image_again(random):
    images = torch.rand(2, 3, 8, 12, generator=random)
    patches = models.to_patches(images)
    assert patches.shape == (2, 6, 48)
    assert torch.equal(patches[1, 4], images[1, :, 4:8, 4:8].flatten())
    assert torch.equal(models.to_images(patches, (3, 8, 12)), images)


@pytest.mark.parametrize(
    ("cut", "message"),
    [
        (lambda: models.to_patches(torch.rand(2, 1, 30, 28)), r"got \(2, 1, 30, 28\), .* sides are multiples of 4"),
        (
            lambda: models.to_patches(torch.rand(2, 28, 28)),
            r"got \(2, 28, 28\), expected a tensor \(N, channels, H, W\)",
        ),
        (lambda: models.to_patches([[0.5]]), r"got list, expected a tensor \(N, channels, H, W\)"),
        (lambda: models.to_patches(torch.rand(2, 1, 28, 28), 0), "got size=0"),
        (lambda: models.to_images(torch.rand(2, 6, 48)), r"got \(2, 6, 48\), .* images of shape \(1, 28, 28\)"),
        (lambda: models.to_images(torch.rand(2, 49, 16), (1, 30, 28)), r"images of shape \(1, 30, 28\)"),
        (lambda: models.to_images(torch.rand(2, 49, 0)), r"got \(2, 49, 0\)"),
        (lambda: models.to_images(torch.rand(49, 16)), r"got \(49, 16\)"),
        (lambda: models.to_images([[0.5]]), r"got list, expected a tensor \(N, rows"),
        (
            lambda: models.to_images(torch.rand(2, 49, 16), (28, 28)),
            r"got image_shape \(28, 28\), expected at least three",
        ),
        (lambda: models.to_images(torch.rand(2, 49, 16), 7), "got image_shape 7, expected"),
    ],
)
def test_patches_that_make_up_no_image_are_refused(cut, message):
    with pytest.raises(ValueError, match=message):
        cut()


@pytest.mark.parametrize(
    ("width", "heads", "message"),
    [
        (10, 4, "got heads=4 and width=10, expected a width that the heads divide evenly"),
        (8, 0, "got heads=0, expected a whole number of at least 1"),
        (8, 2.0, "got heads=2.0, expected a whole number"),
        (0, 1, "got width=0, expected a whole number of at least 1"),
    ],
)
def test_heads_that_do_not_divide_the_width_are_an_error(width, heads, message):
    with pytest.raises(ValueError, match=message):
        models.Attention(width, heads)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"latent_dim": 0}, "got latent_dim=0, expected a whole number of at least 1"),
        ({"queries": 0}, "got queries=0, expected a whole number of at least 1"),
        ({"width": -8}, "got width=-8, expected a whole number of at least 1"),
        ({"heads": 5}, "got heads=5 and width=48, expected a width that the heads divide evenly"),
        ({"blocks": -1}, "got blocks=-1, expected a whole number of at least 0"),
        ({"blocks": 1.5}, "got blocks=1.5, expected a whole number"),
        ({"image_shape": (1, 28, 30)}, r"got image_shape=\(1, 28, 30\), .* multiples of 4, the side of a patch"),
        (
            {"image_shape": (28, 28)},
            r"got image_shape \(28, 28\), expected at least three .* channels, height and width",
        ),
        ({"image_shape": (1, 1, 28, 28)}, r"got image_shape=\(1, 1, 28, 28\), expected three numbers"),
        ({"seed": -1}, "got seed=-1"),
    ],
)
def test_settings_that_make_no_patch_autoencoder_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        models.PatchAutoencoder(**settings)


def test_patches_of_colour_images_of_any_size_are_coded_and_drawn_again(random):
    images = torch.rand(20, 3, 8, 12, generator=random)
    model = models.PatchAutoencoder(3, width=8, blocks=1, heads=2, image_shape=(3, 8, 12))
    history = training.fit(model, images, epochs=3, batch_size=5, lr=0.01)
    assert history.train["total"][-1] < history.train["total"][0]
    assert model.encode(images).shape == (20, 3)
    assert model(images).shape == images.shape
    with pytest.raises(ValueError, match=r"expected a float32 tensor of shape \(N, 3, 8, 12\)"):
        model.encode(torch.rand(2, 1, 28, 28))
    with pytest.raises(ValueError, match="got 2 tensors, expected images alone"):
        model.check(images, torch.zeros(20))


def test_without_blocks_no_patch_has_looked_at_another(random):
    image = torch.rand(1, 1, 28, 28, generator=random)
    changed = image.clone()
    changed[..., :4, :4] = 0  # the first patch
    for blocks, alone in ((0, True), (1, False)):
        model = models.PatchAutoencoder(3, width=8, heads=2, blocks=blocks)
        same = torch.isclose(model.blocks(model.tokens(image)), model.blocks(model.tokens(changed)), atol=1e-6).all(2)
        assert bool(same[0, 1:].all()) == alone
        assert not same[0, 0]


def test_a_patch_autoencoder_learns_which_column_is_bright():
    images = torch.eye(7).repeat_interleave(4, 1)[:, None, None].expand(-1, 1, 28, -1).contiguous()
    model = models.PatchAutoencoder(3, width=16, blocks=1, heads=2)
    training.fit(model, images, epochs=250, batch_size=7, lr=training.cosine(0.01, warmup=0.05))
    of_the_mean = 112 * 6 / 7  # 112 bright pixels, each guessed as 1/7 where it may be bright
    assert training.mean_loss(model, images)["total"] < 0.5 * of_the_mean


# Measures


def test_the_mean_distance_of_two_patches_is_that_of_a_loop():
    places = [(row, column) for row in range(7) for column in range(7)]
    loop = np.mean([math.dist(a, b) for a in places for b in places])
    assert evaluate.attention_distance(torch.full((49, 49), 1 / 49)).item() == pytest.approx(loop, rel=1e-6)


def test_looking_at_oneself_and_looking_everywhere_stay_within_known_shares_of_the_neighbours():
    everywhere, oneself = torch.full((49, 49), 1 / 49), torch.eye(49)
    assert evaluate.attention_distance(oneself).item() == 0
    assert evaluate.neighbour_share(everywhere).item() == pytest.approx(19**2 / 49**2)
    assert evaluate.neighbour_share(oneself).item() == pytest.approx(1)


def test_distance_and_share_are_those_of_each_map_by_itself(random):
    maps = torch.rand(2, 3, 49, 49, generator=random).softmax(3)
    for i, j in ((0, 0), (1, 2)):
        far, near = 0.0, 0.0
        for here in range(49):
            for there in range(49):
                steps = math.dist(divmod(here, 7), divmod(there, 7))
                far += maps[i, j, here, there].item() * steps / 49
                near += maps[i, j, here, there].item() * (steps < 1.5) / 49
        assert evaluate.attention_distance(maps)[i, j].item() == pytest.approx(far, rel=1e-4)
        assert evaluate.neighbour_share(maps)[i, j].item() == pytest.approx(near, rel=1e-4)


def test_attention_maps_are_what_the_encoder_computes(random):
    images = torch.rand(3, 1, 28, 28, generator=random)
    model = models.PatchAutoencoder(3, width=8, heads=2)
    seen = []
    for block in model.blocks[:-1]:
        block.attention.register_forward_pre_hook(
            lambda layer, given: seen.append(layer.with_weights(given[0])[1].detach())
        )
    model.encode(images)
    expected = torch.stack(seen)
    assert expected.shape == (2, 3, 2, 49, 49)
    torch.testing.assert_close(evaluate.attention_maps(model, images), expected)


def test_an_image_with_its_own_maps_is_encoded_as_before_and_with_others_is_not(random):
    image = torch.rand(1, 1, 28, 28, generator=random)
    model = models.PatchAutoencoder(3, width=8, heads=2)
    own = evaluate.attention_maps(model, image)[:, 0]
    torch.testing.assert_close(evaluate.encode_with_maps(model, image, own), model.encode(image).detach())
    flat = torch.full_like(own, 1 / 49)
    assert not torch.allclose(evaluate.encode_with_maps(model, image, flat), model.encode(image), atol=1e-4)


def test_attention_is_looked_at_a_batch_of_images_at_a_time(random):
    images = torch.rand(7, 1, 28, 28, generator=random)
    model = models.PatchAutoencoder(3, width=8, heads=2)
    every = evaluate.attention_maps(model, images)
    codes = evaluate.encode_with_maps(model, images, every.mean(1))
    sizes, tokens = [], model.tokens
    model.tokens = lambda batch: sizes.append(len(batch)) or tokens(batch)
    torch.testing.assert_close(evaluate.attention_maps(model, images, batch_size=3), every)
    torch.testing.assert_close(evaluate.encode_with_maps(model, images, every.mean(1), batch_size=3), codes)
    assert sizes == [3, 3, 1] * 2
    evaluate.attention_maps(model, images.repeat(100, 1, 1, 1))
    assert max(sizes[6:]) <= 500


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
def test_maps_on_the_cpu_are_taken_to_a_model_on_a_gpu(random):
    images = torch.rand(2, 1, 28, 28, generator=random)
    model = models.PatchAutoencoder(3, width=8, heads=2).cuda()
    maps = evaluate.attention_maps(model, images).mean(1)
    assert evaluate.encode_with_maps(model, images, maps).device.type == "cpu"


def test_patches_of_an_image_that_is_no_square_are_as_far_apart_as_their_rows_say():
    places = [(row, column) for row in range(2) for column in range(5)]
    loop = np.mean([math.dist(a, b) for a in places for b in places])
    everywhere = torch.full((3, 10, 10), 0.1)
    assert evaluate.attention_distance(everywhere, across=5).tolist() == pytest.approx([loop] * 3)
    near = np.mean([math.dist(a, b) < 1.5 for a in places for b in places])
    assert evaluate.neighbour_share(everywhere, across=5).tolist() == pytest.approx([near] * 3)
    for measure in (evaluate.attention_distance, evaluate.neighbour_share):
        with pytest.raises(ValueError, match=r"got maps of shape \(3, 10, 10\), .* with across="):
            measure(everywhere)
        with pytest.raises(ValueError, match="got maps of shape"):
            measure(everywhere, across=3)


def test_places_close_by_begin_alike():
    places = attention.sinusoidal_positions(7, 7, 48).detach()
    assert places.shape == (49, 48)
    torch.testing.assert_close(places.square().mean(1), torch.ones(49))
    alike = places @ places.T / 48
    assert alike[24, 24] > alike[24, 25] > alike[24, 26] > alike[24, 27]
    torch.testing.assert_close(alike[24, 25], alike[24, 31])  # a step to the right is as far as one down
    with pytest.raises(ValueError, match="got width=6, expected a multiple of 4"):
        attention.sinusoidal_positions(2, 2, 6)


def test_with_keys_equal_to_queries_a_token_first_looks_at_what_resembles_it(random):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        block = models.Block(48)
        attention.init_weights(block)
    attention.mimetic_init(block)
    assert torch.equal(block.attention.key.weight, block.attention.query.weight)
    places = attention.sinusoidal_positions(1, 30, 48).detach()[None]
    weights = block.attention.with_weights(places)[1].mean(1)[0]
    near = (torch.arange(30)[:, None] - torch.arange(30)).abs() <= 2
    assert (weights * near).sum(1).mean() > 2 * (near.float() / 30).sum(1).mean()


def test_a_block_is_torchs_own_with_the_norm_first(random):
    ours = models.Block(8, heads=2)
    theirs = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, norm_first=True, batch_first=True)
    parts = (ours.attention.query, ours.attention.key, ours.attention.value)
    theirs.self_attn.in_proj_weight.data = torch.cat([part.weight for part in parts])
    theirs.self_attn.in_proj_bias.data = torch.cat([part.bias for part in parts])
    theirs.self_attn.out_proj.load_state_dict(ours.attention.out.state_dict())
    theirs.linear1.load_state_dict(ours.mlp[0].state_dict())
    theirs.linear2.load_state_dict(ours.mlp[2].state_dict())
    tokens, source = torch.randn(2, 5, 8, generator=random), torch.randn(2, 7, 8, generator=random)
    torch.testing.assert_close(ours(tokens), theirs(tokens))
    read = tokens + ours.attention(ours.attention_norm(tokens), source)
    torch.testing.assert_close(ours(tokens, source), read + ours.mlp(ours.mlp_norm(read)))


def test_a_place_is_sines_and_cosines_of_its_row_and_column_at_wavelengths_that_grow_thirtyfold():
    places = attention.sinusoidal_positions(3, 5, 12).detach().double().numpy()
    assert places.shape == (15, 12)
    for place in range(15):
        angles = np.outer(divmod(place, 5), 30.0 ** -np.array([0, 0.5, 1])).flatten()
        by_hand = math.sqrt(2) * np.concatenate([np.sin(angles), np.cos(angles)])
        np.testing.assert_allclose(places[place], by_hand, atol=1e-5)


@pytest.mark.parametrize("build", [models.PatchAutoencoder, models.MaskedAutoencoder])
def test_linear_layers_begin_with_weights_that_keep_the_signals_size_and_no_offsets(build):
    for layer in build(width=64).modules():
        if isinstance(layer, nn.Linear):
            assert layer.weight.std().item() == pytest.approx(layer.in_features**-0.5, rel=0.15)
            assert not layer.bias.any()


def test_what_is_drawn_is_read_from_normed_tokens():
    made = models.PatchAutoencoder(3, width=8, heads=2)
    assert [type(layer).__name__ for layer in made.decoder] == ["Block", "LayerNorm", "Linear"]


def test_patches_may_be_single_pixels(random):
    images = torch.rand(2, 3, 2, 5, generator=random)
    patches = models.to_patches(images, 1)
    assert patches.shape == (2, 10, 3)
    assert torch.equal(models.to_images(patches, (3, 2, 5)), images)
    assert attention.check_shape([3, 2, 5]) == (3, 2, 5)


@pytest.mark.parametrize(
    ("cut", "message"),
    [
        (lambda: models.to_patches(torch.rand(2, 1, 28, 30)), r"got \(2, 1, 28, 30\), .* sides are multiples of 4"),
        (lambda: models.to_images(torch.tensor(0.5)), r"got \(\), expected a tensor \(N, rows"),
        (lambda: models.to_images(torch.rand(2, 49, 16), (1, 28, 30)), r"images of shape \(1, 28, 30\)"),
    ],
)
def test_patches_that_do_not_fill_a_row_are_refused(cut, message):
    with pytest.raises(ValueError, match=message):
        cut()
