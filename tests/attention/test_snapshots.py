import keras
import numpy as np
import pytest
from matplotlib.image import imread
from tiny_network import compiled, random_clips, two_stream

from keras_acl.attention import AttentionSnapshots, attention_maps

CLIPS = random_clips(2)
TARGETS = np.array([2, 0])


def run(callback, model, epochs: int, initial_epoch: int = 0) -> None:
    """Call it as `fit` does, without the time of training."""
    callback.set_model(model)
    callback.on_train_begin()
    for epoch in range(initial_epoch, epochs):
        callback.on_epoch_end(epoch)
    callback.on_train_end()


def names(folder) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.backends
def test_snapshots_follow_the_training_and_a_resumed_one_goes_on(tmp_path):
    # JAX compiles operation by operation then, which takes longer still.
    eager = keras.backend.backend() != "jax"  # tracing takes longer than the steps
    model = compiled(two_stream(), eager=eager)
    masks = np.zeros((2, 8, 32, 32), bool)
    masks[..., :16] = True
    logs = tmp_path / "logs"
    callback = AttentionSnapshots(CLIPS, tmp_path / "a", [2, 0], 1, masks, logs)
    train = random_clips(2, seed=1), TARGETS
    model.fit(*train, epochs=2, batch_size=2, verbose=0, callbacks=[callback])
    files = ["attention.csv", "epoch_0001.npz", "epoch_0001.png", "epoch_0002.npz"]
    assert names(tmp_path / "a") == [*files, "epoch_0002.png", "progress.png"]

    first, second = (np.load(tmp_path / "a" / f"epoch_000{n}.npz") for n in (1, 2))
    now = attention_maps(model, CLIPS, [2, 0])
    np.testing.assert_allclose(second["scores"], now.scores, atol=1e-4)
    assert np.abs(second["maps"][0] / 255.0 - now.spatial).max() < 0.05
    np.testing.assert_allclose(second["maps"].reshape(4, -1).max(axis=1), 255)
    assert np.abs(first["scores"] - second["scores"]).max() > 1e-4
    two = imread(tmp_path / "a" / "progress.png").shape[1]

    run(AttentionSnapshots(CLIPS, tmp_path / "a", [2, 0], 1, masks, logs), model, 3, 2)
    assert imread(tmp_path / "a" / "progress.png").shape[1] > 1.2 * two
    lines = (tmp_path / "a" / "attention.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in lines] == ["epoch", "1", "2", "3"]
    assert lines[0].split(",")[1:3] == ["spatial_pointing", "spatial_energy"]


def test_tensorboard_gets_pictures_and_measures(model, tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    masks = np.ones((2, 8, 32, 32), bool)
    callback = AttentionSnapshots(CLIPS, tmp_path / "a", masks=masks, tensorboard=tmp_path / "logs")
    run(callback, model, 2)
    events = EventAccumulator(str(tmp_path / "logs"), {"images": 0}).Reload()
    pictures = events.Images("attention")
    assert [picture.step for picture in pictures] == [1, 2]
    assert pictures[1].encoded_image_string == (tmp_path / "a" / "epoch_0002.png").read_bytes()
    assert [point.value for point in events.Scalars("attention/spatial_pointing")] == [1, 1]


def test_every_few_epochs(model, tmp_path):
    run(AttentionSnapshots(CLIPS[:1], tmp_path / "a", every=2), model, 3)
    assert names(tmp_path / "a") == ["epoch_0002.npz", "epoch_0002.png", "progress.png"]


def test_a_new_run_in_the_folder_shows_itself_alone(model, tmp_path):
    run(AttentionSnapshots(CLIPS[:1], tmp_path), model, 2)
    two = imread(tmp_path / "progress.png").shape[1]
    run(AttentionSnapshots(CLIPS[:1], tmp_path), model, 1)
    one = imread(tmp_path / "progress.png").shape[1]
    assert one < 0.7 * two
    run(AttentionSnapshots(CLIPS[1:], tmp_path, every=2), model, 2)  # epoch 1 is of other clips
    assert imread(tmp_path / "progress.png").shape[1] == one


def test_no_epoch_leaves_nothing(model, tmp_path):
    run(AttentionSnapshots(CLIPS, tmp_path, every=5), model, 1)
    assert names(tmp_path) == []


def test_mistakes_are_refused(model, tmp_path):
    with pytest.raises(ValueError, match=r"\(0, 8, 32, 32, 3\)"):
        AttentionSnapshots(CLIPS[:0], tmp_path)
    with pytest.raises(ValueError, match="every=0"):
        AttentionSnapshots(CLIPS, tmp_path, every=0)
    with pytest.raises(ValueError, match="`classes` for each of 2 clips"):
        AttentionSnapshots(CLIPS, tmp_path, classes=[1])
    with pytest.raises(ValueError, match="`masks` for each of 2 clips"):
        AttentionSnapshots(CLIPS, tmp_path, masks=np.zeros((1, 8, 32, 32), bool))
    with pytest.raises(ValueError, match=r"\(2, 4, 32, 32, 3\)"):
        run(AttentionSnapshots(CLIPS[:, :4], tmp_path), model, 1)
