import sys

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.data import astronaut

from skemotion.datasets import make_ravdess
from skemotion.pipeline import ClipPipeline
from skemotion.pipeline._step_identity import step_identity
from skemotion.video import HOG3D, FaceCrop, VideoLoader
from skemotion.video._face_boxes import merge_windows
from skemotion.video._face_track import (
    FaceTrack,
    crop_face,
    heaviest_chain,
    smooth_path,
    track_face,
)

FACE = cv2.resize(astronaut()[40:190, 150:300], (96, 96), interpolation=cv2.INTER_AREA)


def moving_face(n_frames=30, height=160, width=280, background=90):
    """A face that crosses a slightly noisy wall at constant speed, and its corners' places."""
    noise = np.random.default_rng(0).integers(-8, 9, (height, width, 1))
    clip = np.tile((background + noise).astype(np.uint8), (n_frames, 1, 1, 3))
    tops = np.linspace(10, height - 106, n_frames).round().astype(int)
    lefts = np.linspace(20, width - 116, n_frames).round().astype(int)
    for frame, top, left in zip(clip, tops, lefts, strict=True):
        frame[top : top + 96, left : left + 96] = FACE
    return clip, np.stack([tops, lefts], axis=1)


@pytest.fixture(scope="module")
def clip():
    return moving_face()[0]


@pytest.fixture(scope="module")
def corners():
    return moving_face()[1]


def test_the_crop_follows_the_face(clip, corners):
    track = track_face(clip)
    assert track.seen.all()
    offset = track.centres - corners
    # Eyes to mouth of the picture that was pasted, as seen by eye.
    np.testing.assert_allclose(offset.mean(axis=0), (49, 48), atol=6)
    assert 50 < track.side < 85
    assert np.abs(offset - offset.mean(axis=0)).max() < 3
    crops = crop_face(clip, track, (48, 48), 0).astype(int)
    assert np.abs(crops - crops[15])[:, 8:40, 8:40].mean(axis=(1, 2, 3)).max() < 12


def test_the_path_is_steady(clip):
    path = track_face(clip).centres
    assert np.abs(np.diff(path, 2, axis=0)).max() < 0.2  # pixels per frame and frame
    assert (np.diff(path, axis=0) > 0).all()


def test_missed_frames_lie_on_the_way(clip, corners):
    blank = clip.copy()
    blank[12:19] = 90
    track = track_face(blank)
    np.testing.assert_array_equal(track.seen, (track.looks < 12) | (track.looks > 18))
    assert np.abs(track.centres - corners - (49, 48)).max() < 6


def test_grey_colour_and_floats_are_cropped_alike(clip):
    colour = FaceCrop().transform(clip[np.newaxis])
    grey = (clip @ np.array([0.299, 0.587, 0.114])).round().astype(np.uint8)
    shares = np.float32(grey / 255)
    assert colour.shape == (1, 30, 96, 96, 3)
    assert colour.dtype == np.uint8
    from_grey = FaceCrop().transform(grey[np.newaxis])
    from_shares = FaceCrop().transform(shares[np.newaxis])
    assert from_shares.dtype == np.float32
    luma = colour @ np.array([0.299, 0.587, 0.114])
    np.testing.assert_allclose(luma, from_grey, atol=1.5)  # rounded twice
    # Rounded to other whole numbers, the picture is all but the same to the cascade.
    assert np.abs(from_shares * 255 - from_grey).mean() < 3


def test_a_column_of_different_sizes_comes_out_in_one(clip):
    clips = [clip, cv2.resize(clip[0], (420, 240))[np.newaxis].repeat(30, axis=0)]
    together = FaceCrop(size=(40, 50)).fit(clips).transform(clips)
    assert {crop.shape for crop in together} == {(30, 40, 50, 3)}
    for crop, alone in zip(together, clips, strict=True):
        np.testing.assert_array_equal(crop, FaceCrop(size=(40, 50)).transform(alone[None])[0])


def test_another_network_under_the_same_path_is_another_step(tmp_path):
    path = tmp_path / "detector.onnx"
    path.write_bytes(b"one")
    step = FaceCrop(detector=str(path))
    before = step_identity(step)
    assert step_identity(step) == before != step_identity(FaceCrop())
    path.write_bytes(b"another")
    assert step_identity(step) != before


def test_a_column_of_different_lengths_stays_a_column(clip):
    crops = FaceCrop().transform([clip, clip[:12]])
    assert [crop.shape for crop in crops] == [(30, 96, 96, 3), (12, 96, 96, 3)]


def test_in_a_clip_pipeline_clips_may_differ_in_size(clip, tmp_path):
    clips = [clip[..., 0], cv2.resize(clip[0, ..., 0], (420, 240))[np.newaxis].repeat(30, axis=0)]
    steps = [("load", VideoLoader(n_frames=10, scale=1)), ("face", FaceCrop()), ("hog", HOG3D())]
    pipeline = ClipPipeline(steps, memory=tmp_path, n_jobs=2)
    described = pipeline.fit_transform(clips)
    assert described.shape == (2, 2, 19, 16, 9, 2)
    assert len(pipeline.get_feature_names_out()) == described[0].size
    np.testing.assert_array_equal(pipeline.transform(clips[::-1]), described[::-1])


def test_names_follow_the_flattened_crops(clip):
    face = FaceCrop(size=(4, 5)).fit(clip[np.newaxis])
    names = face.get_feature_names_out()
    assert names[np.ravel_multi_index((3, 2, 4, 1), (30, 4, 5, 3))] == "face_t03_y02_x04_channel1"
    assert len(set(names)) == 30 * 4 * 5 * 3


def test_without_a_face_frames_are_taken_whole_or_refused(clip):
    wall = np.random.default_rng(0).integers(0, 256, (10, 90, 120), dtype=np.uint8)
    whole = FaceCrop(size=(90, 120)).transform([wall])
    np.testing.assert_array_equal(whole[0], wall)
    with pytest.raises(ValueError, match=r"row 1: .*90, 120\)>: .*found none.*scale=1.*whole"):
        FaceCrop(on_missing="raise").transform([clip, wall])
    with pytest.raises(ValueError, match=r"row 0: .*expected a face, found none.*whole"):
        ClipPipeline([("face", FaceCrop(on_missing="raise"))]).fit_transform([wall])
    with pytest.raises(ValueError, match="one pixel"):
        FaceCrop(on_missing="raise").transform(np.zeros((2, 5)))


def test_a_table_stays_as_it_is():
    table = np.random.default_rng(0).normal(size=(3, 7))
    face = FaceCrop().fit(table)
    np.testing.assert_array_equal(face.transform(table), table)
    assert list(face.get_feature_names_out()) == [f"frame{t:03d}" for t in range(7)]


def test_what_is_seen_once_is_no_face(clip):
    wall = np.full_like(clip, 90)
    wall[0] = clip[0]
    assert track_face(wall) is None


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32 - 1))
def test_the_face_is_what_lasts_and_not_what_is_large(seed):
    rng = np.random.default_rng(seed)
    found = []
    for look in range(12):
        face = np.array([[60 + 2 * look, 80 - look, 40 + rng.normal(), 3]])
        # Every third look a larger box with as many windows, somewhere else each time.
        other = np.array([[*rng.uniform(400, 4000, 2), 90, 3]])[: look % 3 == 0]
        found.append(rng.permutation(np.concatenate([other, face])))
    chain = heaviest_chain(found)
    assert [look for look, _ in chain] == list(range(12))
    assert all(found[look][which, 2] < 60 for look, which in chain)


def test_windows_of_two_faces_merge_into_two_boxes():
    rng = np.random.default_rng(0)
    one = rng.normal((50, 60, 40), size=(9, 3))
    two = rng.normal((50, 160, 40), size=(5, 3))
    boxes = merge_windows(rng.permutation(np.concatenate([two, one])))
    np.testing.assert_allclose(boxes, [(*one.mean(axis=0), 9), (*two.mean(axis=0), 5)])


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 12), st.integers(0, 2**32 - 1))
def test_constant_speed_is_left_as_it_is(n_found, seed):
    rng = np.random.default_rng(seed)
    at = np.sort(rng.choice(60, n_found, replace=False))
    line = rng.normal(size=(2, 2)) @ np.stack([np.ones(60), np.arange(60)])
    path = smooth_path(at, line.T[at], 60)
    inside = slice(at[0], at[-1] + 1)
    np.testing.assert_allclose(path[inside], line.T[inside], atol=1e-6)
    np.testing.assert_array_equal(path[: at[0]], np.tile(path[at[0]], (at[0], 1)))
    np.testing.assert_array_equal(path[at[-1] :], np.tile(path[at[-1]], (60 - at[-1], 1)))


def test_one_box_gone_astray_does_not_move_the_path():
    at = np.arange(0, 50, 5)
    centres = np.full((10, 2), 80.0)
    centres[[2, 6]] = (110, 60)
    np.testing.assert_allclose(smooth_path(at, centres, 50), 80, atol=1e-6)


@settings(deadline=None, max_examples=40)
@given(st.floats(-30, 60), st.floats(2, 90), st.integers(1, 20), st.sampled_from([0.0, 0.2]))
def test_cropping_keeps_flat_pictures_flat_and_ramps_straight(centre, side, n, margin):
    rows, columns = np.mgrid[:50, :70]
    track = track_of((centre, centre + 5), side)
    for dtype in (np.uint8, np.float32, np.float64):
        flat = crop_face(np.full((1, 50, 70), 7, dtype), track, (n, n), margin)
        assert flat.dtype == dtype
        np.testing.assert_allclose(flat, 7, rtol=1e-6)
    ramp = crop_face((rows + 2.0 * columns)[np.newaxis], track, (n, n), margin)[0]
    assert (np.diff(ramp, axis=0) >= -1e-9).all()
    assert (np.diff(ramp, axis=1) >= -1e-9).all()
    length = side * (1 + 2 * margin)
    places = (np.arange(n) + 0.5) * length / n - length / 2 - 0.5
    y, x = places + centre, places + centre + 5
    reach = max(length / n, 1)
    inside = np.ix_((y > reach) & (y < 49 - reach), (x > reach) & (x < 69 - reach))
    expected = (y[:, np.newaxis] + 2 * x)[inside]
    np.testing.assert_allclose(ramp[inside], expected, atol=0.3)


def track_of(centre, side):
    return FaceTrack(np.array([centre], dtype=float), side, np.array([0]), np.array([True]))


def test_a_size_that_is_not_square_takes_more_of_the_picture():
    picture = np.zeros((1, 60, 90))
    picture[:, 20:40, 30:50] = 1
    crop = crop_face(picture, track_of((30, 40), 20), (20, 40), 0)[0]
    expected = np.zeros((20, 40))
    expected[:, 10:30] = 1
    np.testing.assert_allclose(crop, expected, atol=1e-12)


@pytest.mark.parametrize(
    ("parameters", "clips", "error", "message"),
    [
        ({"size": (96,)}, np.zeros((1, 5, 30, 40)), ValueError, "height, width"),
        ({"size": (0, 9)}, np.zeros((1, 5, 30, 40)), ValueError, "height, width"),
        ({"margin": -1}, np.zeros((1, 5, 30, 40)), ValueError, "margin"),
        ({"on_missing": "skip"}, np.zeros((1, 5, 30, 40)), ValueError, "on_missing"),
        (
            {"detector": "no.onnx"},
            np.zeros((1, 5, 30, 40)),
            FileNotFoundError,
            r"no\.onnx: .*YuNet",
        ),
        ({}, np.zeros((1, 5, 6)), ValueError, "clips of shape"),
        ({}, np.zeros((1, 5, 30, 40, 4)), ValueError, "1 or 3 channels"),
        ({}, [np.zeros((5, 6))], ValueError, "FaceCrop expected frames.*row 0"),
        ({}, [np.zeros((5, 30, 40)), None], ValueError, "found None in row 1"),
        ({}, ["clip.mp4"], ValueError, "such as VideoLoader makes; found 'clip.mp4' in row 0"),
        ({}, np.full((1, 5, 30, 40), np.nan), ValueError, "NaN"),
    ],
)
def test_refuses(parameters, clips, error, message):
    with pytest.raises(error, match=message):
        FaceCrop(**parameters).fit(clips).transform(clips)


def test_tells_how_to_get_the_missing_package(clip, monkeypatch):
    monkeypatch.setitem(sys.modules, "skimage.feature", None)
    with pytest.raises(ImportError, match=r'^FaceCrop needs scikit-image: .*"skemotion\[image\]"'):
        FaceCrop().transform([clip])


def test_a_yunet_model_finds_what_it_answers_to(tmp_path):
    model = tmp_path / "red.onnx"
    model.write_bytes(_red_square_detector())
    clip = np.full((20, 320, 416, 3), 40, dtype=np.uint8)
    clip[..., 0] = 0
    for t, frame in enumerate(clip):
        left = 32 * (2 + t // 4)
        frame[96:128, left : left + 32, 0] = 255  # red, in RGB
        frame[224:256, left : left + 32, 2] = 255
    track = track_face(clip, model)
    assert track.seen.all()
    assert track.side == 64
    np.testing.assert_allclose(track.centres[:, 0], 112)
    # The net knows places to 32 pixels only.
    assert np.abs(track.centres[:, 1] - 32 * (2.5 + np.arange(20) // 4)).max() < 32
    crops = FaceCrop(size=(64, 64), margin=0, detector=str(model)).transform([clip[:4]])
    np.testing.assert_array_equal(crops[0], clip[:4, 80:144, 48:112])
    assert track_face(clip[..., ::-1].copy(), model).centres[0, 0] == pytest.approx(240)
    large = cv2.resize(clip[0], (832, 640), interpolation=cv2.INTER_NEAREST)[np.newaxis]
    assert track_face(large, model).side == 128


def test_a_file_that_is_no_yunet_model_is_named(clip, tmp_path):
    model = tmp_path / "bad.onnx"
    model.write_bytes(b"no model")
    with pytest.raises(ValueError, match=r"bad\.onnx: expected a YuNet model, found a file"):
        FaceCrop(detector=model).transform([clip])


def _red_square_detector() -> bytes:
    """Write a net with YuNet's twelve outputs whose score is the red in squares of 32 pixels.

    The published model is not at hand here. This one takes the same way through OpenCV: what is
    checked is the order of colours, of the boxes' numbers, and of the frames' sizes.
    """
    nodes, weights, outputs = [], [], []
    for stride in (8, 16, 32):
        for kind, n in (("cls", 1), ("obj", 1), ("bbox", 4), ("kps", 10)):
            name = f"{kind}_{stride}"
            kernel = np.zeros((n, 3, stride, stride), dtype=np.float32)
            bias = np.zeros(n, dtype=np.float32)
            if stride == 32 and kind in ("cls", "obj"):
                kernel[:, 2] = 1 / (255 * 32 * 32)  # OpenCV's order is blue, green, red
            if kind == "bbox":
                bias[:] = 0.5, 0.5, np.log(2), np.log(2)  # about the middle, twice as large
            weights += [
                _tensor(f"{name}_kernel", kernel),
                _tensor(f"{name}_bias", bias),
                _tensor(f"{name}_shape", np.array([1, -1, n])),
            ]
            nodes += [
                _node("Conv", ["input", f"{name}_kernel", f"{name}_bias"], f"{name}_map",
                      kernel_shape=[stride] * 2, strides=[stride] * 2),
                _node("Transpose", [f"{name}_map"], f"{name}_last", perm=[0, 2, 3, 1]),
                _node("Reshape", [f"{name}_last", f"{name}_shape"], name),
            ]  # fmt: skip
            outputs.append(_value(name, (1, (320 // stride) ** 2, n)))
    graph = [(1, node) for node in nodes] + [(2, "red"), *((5, w) for w in weights)]
    graph += [(11, _value("input", (1, 3, 320, 320))), *((12, output) for output in outputs)]
    return _message((1, 8), (8, _message((1, ""), (2, 13))), (7, _message(*graph)))


# ONNX is written in protocol buffers: numbered fields, numbers by sevens of bits.
def _message(*fields):
    return b"".join(
        _number(key << 3) + _number(value)
        if isinstance(value, int)
        else _number(key << 3 | 2)
        + _number(len(value))
        + (value.encode() if isinstance(value, str) else value)
        for key, value in fields
    )


def _number(n):
    return bytes([n]) if n < 128 else bytes([n & 127 | 128]) + _number(n >> 7)


def _tensor(name, values):
    kind = 7 if values.dtype == np.int64 else 1
    dims = [(1, n) for n in values.shape]
    return _message(*dims, (2, kind), (8, name), (9, values.tobytes()))


def _node(operator, inputs, output, **attributes):
    settings = [
        (5, _message((1, name), *((8, n) for n in numbers), (20, 7)))
        for name, numbers in attributes.items()
    ]
    return _message(*((1, name) for name in inputs), (2, output), (4, operator), *settings)


def _value(name, shape):
    dims = _message(*((1, _message((1, n))) for n in shape))
    return _message((1, name), (2, _message((1, _message((1, 1), (2, dims))))))


def test_finds_real_faces(shared_data):
    clips = sorted((shared_data / "java-sed").glob("*.mp4"))[7::24]
    assert len(clips) == 6  # one per actor
    for frames in VideoLoader(scale=1).transform(clips):
        track = track_face(frames)
        assert track.seen.sum() >= 8  # some clips begin with a black picture
        # All were filmed sitting in the middle, half as large as the picture.
        np.testing.assert_allclose(track.centres, np.tile((150, 180), (50, 1)), atol=40)
        assert 110 < track.side < 180
        assert np.abs(np.diff(track.centres, axis=0)).max() < 4


def test_finds_the_synthetic_faces(tmp_path):
    make_ravdess(tmp_path, n_actors=2, emotions=["happy"], intensities=["normal"], n_statements=1,
                 modalities=["full"], duration=0.5)  # fmt: skip
    clips = sorted(tmp_path.rglob("*.mp4"))
    assert len(clips) == 2
    frames = VideoLoader(n_frames=10).transform(clips)
    crops = FaceCrop(on_missing="raise").transform(frames)
    assert crops.shape == (2, 10, 96, 96)
