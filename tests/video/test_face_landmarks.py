import pickle
import re
import sys
import threading
import tracemalloc
import zipfile

import numpy as np
import pytest
from sklearn.base import clone

import skemotion
from skemotion import MediaError
from skemotion.video import FaceLandmarks, FaceMeasures, decode_clip, face_landmarks
from skemotion.video._face_detection import detect_faces
from skemotion.video._face_mesh import find_blendshapes, find_points
from skemotion.video._face_networks import face_networks
from skemotion.video._face_points import BLENDSHAPES, IBUG68
from skemotion.video._frame_stream import file_frames

SMILE = "W036_level_3_happy_007.mp4"
LEANING = "05-01-02_01.mp4"  # the head leans to the side
BLACK_FIRST = "02-03-03_01.mp4"  # eight black frames
PROFILE = "0Fi83BHQsMA_00002.mp4"
THEN_NONE = "face_noface.mov"  # a face, then a cartoon without any
NO_FACE = "no_face.mp4"


@pytest.fixture(scope="module")
def model(shared_data):
    pytest.importorskip("ai_edge_litert", reason="ai-edge-litert, the extra face, is missing")
    path = shared_data / "models" / "face_landmarker.task"
    if not path.is_file():
        pytest.skip("the networks of the face landmarker are not on this machine")
    return str(path)


@pytest.fixture(scope="module")
def clips(shared_data):
    return {
        path.name: path for name in ("java-sed", "clips") for path in (shared_data / name).iterdir()
    }


@pytest.fixture(scope="module")
def leaning(clips):
    return decode_clip(clips[LEANING], scale=1, stride=1, color="rgb")


# What the mediapipe package (1.2.2, image mode) gives of a frame: points, and blendshapes.
MEDIAPIPE = {
    (LEANING, 60): (
        {
            1: (185.72, 154.26),
            33: (148.67, 124.09),
            61: (171.89, 188.41),
            105: (144.85, 97.79),
            152: (191.28, 222.98),
            263: (212.77, 110.33),
            291: (203.12, 182.65),
            473: (203.21, 111.48),
        },
        {"browOuterUpLeft": 0.900, "eyeBlinkRight": 0.089, "jawOpen": 0.509, "mouthSmileLeft": 0},
    ),
    (SMILE, 40): (
        {
            1: (981.23, 599.42),
            33: (851.15, 489.80),
            61: (893.42, 691.74),
            105: (852.07, 425.09),
            152: (976.88, 846.63),
            263: (1101.77, 491.53),
            291: (1056.53, 693.11),
            473: (1068.53, 486.05),
        },
        {
            "browOuterUpLeft": 0.045,
            "jawOpen": 0.309,
            "mouthSmileLeft": 0.502,
            "mouthSmileRight": 0.553,
        },
    ),
}


@pytest.mark.parametrize("place", MEDIAPIPE)
def test_a_frame_for_itself_equals_mediapipe(model, clips, place):
    (name, number), (points, blendshapes) = place, MEDIAPIPE[place]
    picture = next(f.picture for f in file_frames(clips[name]) if f.number == number)
    with face_networks(model) as networks:
        mesh = find_points(picture, detect_faces(picture, networks)[0].region, networks)
        values = find_blendshapes(mesh, networks)
    # OpenCV's versions interpolate differently, by a few hundredths of a pixel.
    np.testing.assert_allclose(mesh[list(points), :2], list(points.values()), atol=0.15)
    got = dict(zip(BLENDSHAPES, values, strict=True))
    assert {name: got[name] for name in blendshapes} == pytest.approx(blendshapes, abs=0.02)


@pytest.mark.parametrize("place", MEDIAPIPE)
def test_a_followed_face_is_near_mediapipe(model, clips, place):
    (name, number), (points, _) = place, MEDIAPIPE[place]
    track = face_landmarks(clips[name], model)
    eyes = np.hypot(*np.subtract(points[263], points[33]))
    mesh = track.points[track.frames == number][0]
    away = np.linalg.norm(mesh[list(points), :2] - list(points.values()), axis=1)
    assert away.max() < 0.05 * eyes


def test_every_frame_has_the_face(model, clips):
    track = face_landmarks(clips[LEANING], model)
    assert track.found.all()
    np.testing.assert_array_equal(track.frames, np.arange(len(track.points)))
    assert np.diff(track.seconds) == pytest.approx(1 / 29.97, rel=1e-3)
    # From frame to frame a head goes no further than a quarter of the distance of its eyes.
    steps = np.linalg.norm(np.diff(track.points[..., :2], axis=0), axis=2)
    eyes = np.linalg.norm(track.points[:, 33, :2] - track.points[:, 263, :2], axis=1)
    assert steps.max() < 0.25 * eyes.min()
    # The right end of the eyes' line is up, so that the crown leans to the picture's left.
    assert 0 < np.median(track.pose[:, 2]) < 15


def test_what_is_black_or_empty_at_the_ends_is_left_out(model, clips):
    track = face_landmarks(clips[BLACK_FIRST], model)
    assert track.frames[0] == 8
    assert track.seconds[0] == pytest.approx(8 / 29.97, rel=1e-3)
    assert track.found.all()
    cut = face_landmarks(clips[THEN_NONE], model)
    assert cut.frames[-1] < 75


def test_a_turned_head_is_followed(model, clips):
    track = face_landmarks(clips[PROFILE], model)
    assert track.found.mean() > 0.85
    assert track.pose[0, 0] > 30  # the nose to the picture's right
    assert abs(track.pose[-1, 0]) < 20


def test_no_face(model, clips):
    with pytest.raises(MediaError, match=r"no_face.mp4: expected a face, found none"):
        FaceLandmarks(model_path=model).transform([clips[NO_FACE]])
    stage = FaceLandmarks(("pose", "found"), on_missing="nan", model_path=model)
    [missing] = stage.transform([clips[NO_FACE]])
    assert missing.shape == (1, 4)
    assert np.isnan(missing).all()


def test_frames_in_memory_are_as_good_as_a_file(model, clips, leaning):
    expected = face_landmarks(clips[LEANING], model)
    got = face_landmarks(leaning, model)
    for name in ("points", "blendshapes", "pose", "found", "frames"):
        np.testing.assert_array_equal(getattr(got, name), getattr(expected, name))
    # Floats are taken as pixels, too, and stay float64.
    [values] = FaceLandmarks(model_path=model).transform([leaning[:3].astype(float)])
    assert values.dtype == np.float64
    np.testing.assert_allclose(values, got.points[:3][:, IBUG68, :2], rtol=1e-6)


def test_of_two_faces_the_larger_one(model, leaning, clips):
    other = decode_clip(clips[BLACK_FIRST], size=(150, 200), stride=1, color="rgb")[20:50]
    small = np.zeros((30, 270, 200, 3), dtype=np.uint8)
    small[:, 60:210] = other
    large = leaning[20:50]
    alone = face_landmarks(large, model)
    for both, shift in (
        (np.concatenate([small, large], axis=2), 200),
        (np.concatenate([large, small], axis=2), 0),
    ):
        track = face_landmarks(both, model)
        away = np.linalg.norm(track.points[..., :2] - (shift, 0) - alone.points[..., :2], axis=2)
        assert track.found.all()
        assert np.percentile(away, 95) < 2


def test_a_face_that_is_lost_is_found_again(model, leaning):
    clip = leaning[20:60].copy()
    clip[10:18] = 0
    track = face_landmarks(clip, model)
    np.testing.assert_array_equal(np.flatnonzero(~track.found), np.arange(10, 18))
    for values in track[:3]:
        share = np.linspace(0, 1, 10).reshape(-1, *[1] * (values.ndim - 1))
        line = values[9] + share * (values[18] - values[9])
        np.testing.assert_allclose(values[9:19], line, atol=1e-3)
    [found] = FaceLandmarks("found", model_path=model).transform([clip])
    np.testing.assert_array_equal(found.ravel(), track.found)


def test_fewer_frames_a_second(model, clips):
    all_frames = face_landmarks(clips[LEANING], model, fps=None)
    half = face_landmarks(clips[LEANING], model, fps=15)
    assert half.frames[:4].tolist() == [0, 2, 4, 6]
    away = np.linalg.norm(half.points - all_frames.points[half.frames], axis=2)
    assert np.median(away) < 1


def test_outputs_and_their_names(model, clips, leaning):
    outputs = ("landmarks", "blendshapes", "pose", "found")
    together = FaceLandmarks(outputs, model_path=model)
    [trajectory] = together.fit_transform([leaning[:5]])
    assert trajectory.shape == (5, 68 * 2 + 51 + 3 + 1)
    assert trajectory.dtype == np.float32
    parts = [
        FaceLandmarks(output, model_path=model).fit_transform([leaning[:5]])[0]
        for output in outputs
    ]
    assert parts[0].shape == (5, 68, 2)
    side_by_side = np.concatenate([part.reshape(5, -1) for part in parts], axis=1)
    np.testing.assert_array_equal(trajectory, side_by_side)
    names = together.get_feature_names_out()
    assert len(names) == len(set(names)) == trajectory.shape[1]
    assert names[[0, 1, 2, 135, 136, -4, -1]].tolist() == [
        *("point00-x", "point00-y", "point01-x", "point67-y", "browDownLeft"),
        *("head-yaw", "face-found"),
    ]
    [mesh] = FaceLandmarks(points="mesh478", model_path=model).transform([leaning[:5]])
    assert mesh.shape == (5, 478, 3)


def test_measures_follow(model, leaning):
    landmarks = FaceLandmarks(model_path=model).fit_transform([leaning[:20]])
    [measures] = FaceMeasures().fit_transform(landmarks)
    assert measures.shape == (20, 33)
    assert np.isfinite(measures).all()


def test_threads_share_the_networks(model, leaning):
    expected = face_landmarks(leaning[:6], model)
    got = [None] * 4

    def run(i):
        got[i] = face_landmarks(leaning[:6], model)

    threads = [threading.Thread(target=run, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for track in got:
        np.testing.assert_array_equal(track.points, expected.points)


def test_memory_stays_flat(model, clips):
    face_landmarks(clips[SMILE], model)  # opens the networks
    tracemalloc.start()
    track = face_landmarks(clips[SMILE], model)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # 76 frames of 1920 x 1080 in colour are 473 MB; one is 6, and one more is on its way.
    assert len(track.points) == 76
    assert peak < 25e6


def test_copies_hold_no_network(model, leaning):
    stage = FaceLandmarks("pose", model_path=model)
    expected = stage.fit_transform([leaning[:2]])[0]
    for copy in (clone(stage), pickle.loads(pickle.dumps(stage))):
        np.testing.assert_array_equal(copy.transform([leaning[:2]])[0], expected)
    assert len(pickle.dumps(stage)) < 1000


def test_the_cache_knows_another_file_under_the_same_name(model, tmp_path):
    path = tmp_path / "face_landmarker.task"
    path.write_bytes(b"one")
    one = FaceLandmarks(model_path=str(path)).cache_identity()
    path.write_bytes(b"another")
    assert FaceLandmarks(model_path=str(path)).cache_identity() != one


def test_a_file_that_is_something_else(model, tmp_path, leaning):
    path = tmp_path / "other.task"
    path.write_bytes(b"something else")
    with pytest.raises(ValueError, match=r"other.task: expected MediaPipe's face_landmarker.task"):
        face_landmarks(leaning[:1], path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("face_detector.tflite", b"")
    with pytest.raises(ValueError, match=r"face_landmarks_detector.tflite.*Get it again"):
        face_landmarks(leaning[:1], path)


def test_a_missing_file_or_extra_says_what_helps(tmp_path, monkeypatch):
    frames = np.zeros((2, 8, 8), dtype=np.uint8)
    helps = r'pip install "skemotion\[face\]", and skemotion fetch face-landmarker'
    with pytest.raises(FileNotFoundError, match=helps):
        FaceLandmarks(model_path=str(tmp_path / "nowhere.task")).transform([frames])
    path = tmp_path / "face_landmarker.task"
    path.write_bytes(b"")
    monkeypatch.setitem(sys.modules, "ai_edge_litert", None)
    with pytest.raises(ImportError, match=f"needs ai-edge-litert.*{helps}"):
        FaceLandmarks(model_path=str(path)).transform([frames])


def test_limits_and_unusable_clips(model, clips):
    stage = FaceLandmarks(model_path=model)
    with (
        skemotion.limits(max_frames=20),
        pytest.raises(MediaError, match="max_frames=20"),
    ):
        stage.transform([clips[LEANING]])
    with pytest.raises(MediaError, match="no video stream"):
        stage.transform([clips["sample1.mov"]])
    with pytest.raises(MediaError, match="found sound at 8000 Hz"):
        stage.transform([(8000, np.zeros(100))])
    with pytest.raises(ValueError, match=r"frames of shape \(n_frames, height"):
        stage.transform([np.zeros(5)])


@pytest.mark.parametrize("output", ["points", (), ("pose", "pose"), ("pose", "smile")])
def test_unknown_outputs(output):
    with pytest.raises(ValueError, match="output"):
        FaceLandmarks(output).fit([np.zeros((2, 8, 8))])


def test_a_table_has_no_faces():
    table = np.full((3, 4), 100.0)
    stage = FaceLandmarks(("pose", "found")).fit(table)
    np.testing.assert_array_equal(stage.transform(table), np.zeros((3, 16)))
    assert stage.get_feature_names_out()[[0, -1]].tolist() == [
        "head-yaw_frame000",
        "face-found_frame003",
    ]


def test_windows_are_cut_from_one_track(model, clips):
    stage = FaceLandmarks(("landmarks", "blendshapes", "pose"), model_path=model)
    [whole] = stage.transform([clips[LEANING]])
    [all_of_it] = stage.transform_windows(clips[LEANING], 60, 60)
    np.testing.assert_array_equal(all_of_it.content, whole)
    windows = list(stage.transform_windows(clips[LEANING], 1.5, 0.5))
    assert len(windows) == int(2 * all_of_it.end) + 1
    for window in windows:
        first = int(np.ceil(window.start * 29.97 - 1e-3))
        last = int(np.ceil(window.end * 29.97 - 1e-3))
        np.testing.assert_array_equal(window.content, whole[first:last])


def test_windows_of_faces_that_are_looked_for_less_often(model, clips):
    stage = FaceLandmarks(("landmarks", "found"), model_path=model)
    [often] = stage.transform_windows(clips[LEANING], 60, 60)
    [seldom] = stage.transform_windows(clips[LEANING], 60, 60, fps=15)
    n_frames = len(seldom.content)
    assert len(often.content) - n_frames <= 2
    assert seldom.content[:, -1].mean() == pytest.approx(0.5, abs=0.02)
    apart = np.abs(seldom.content[:, :-1] - often.content[:n_frames, :-1])
    assert apart.mean() < 0.5  # pixels


def test_windows_without_a_face(model, clips):
    stage = FaceLandmarks(model_path=model)
    *_, last = windows = list(stage.transform_windows(clips[THEN_NONE], 1, 1))
    assert windows[0].content.shape == (30, 68, 2)
    assert isinstance(windows[4].content, MediaError)
    assert re.match(r".*face_noface.mov, 4 to 5 s: expected a face", str(windows[4].content))
    assert last.start < last.end
    stage.set_params(on_missing="nan")
    assert all(
        np.isnan(window.content).all() and window.content.shape == (1, 68, 2)
        for window in stage.transform_windows(clips[NO_FACE], 2, 2)
    )
