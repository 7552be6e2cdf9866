import io
import zipfile

import numpy as np
import pandas as pd
import pytest

import skemotion
from skemotion import MediaError
from skemotion.video import LandmarkLoader, read_landmarks

POINTS = np.round(np.random.default_rng(0).uniform(0, 1000, (7, 68, 2)), 1)


def write_csv(points, *, sep=",", **columns):
    """Write landmarks as OpenFace does; further columns come first."""
    n_points = points.shape[1]
    table = pd.DataFrame(columns)
    coordinates = {f"x_{i}": points[:, i, 0] for i in range(n_points)}
    coordinates |= {f"y_{i}": points[:, i, 1] for i in range(n_points)}
    table = pd.concat([table, pd.DataFrame(coordinates)], axis=1)
    lines = [sep.join(table.columns)] + [sep.join(map(str, row)) for row in table.to_numpy()]
    return ("\n".join(lines) + "\n").encode()


@pytest.mark.parametrize("sep", [",", ", ", " , "])
def test_reads_openface_s_columns(sep):
    frames = np.arange(1, 8)
    file = write_csv(
        POINTS, sep=sep, frame=frames, timestamp=frames / 30, confidence=0.98, success=1, AU01_r=0.3
    )
    np.testing.assert_array_equal(read_landmarks(file), POINTS)


def test_reads_coordinates_alone_in_any_order_of_columns():
    table = pd.read_csv(io.BytesIO(write_csv(POINTS)))
    shuffled = table.sample(frac=1, axis=1, random_state=0).to_csv(index=False).encode()
    np.testing.assert_array_equal(read_landmarks(shuffled), POINTS)


def test_paths_members_of_archives_and_bytes(tmp_path):
    file = write_csv(POINTS, frame=np.arange(7))
    (tmp_path / "a.csv").write_bytes(file)
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as archive:
        archive.writestr("Actor_01/a.csv", file)
    clips = [tmp_path / "a.csv", f"zip://Actor_01/a.csv::{tmp_path / 'b.zip'}", file, POINTS]
    column = LandmarkLoader().fit_transform(clips)
    assert column.dtype == object
    for landmarks in column:
        np.testing.assert_array_equal(landmarks, POINTS)


def test_clips_keep_their_own_lengths_and_name():
    loader = LandmarkLoader().fit([write_csv(POINTS)])
    column = loader.transform([write_csv(POINTS[:n]) for n in (7, 2)])
    assert [len(clip) for clip in column] == [7, 2]
    assert list(loader.get_feature_names_out()) == ["landmarks"]


def test_frames_without_a_face_are_interpolated():
    line = np.linspace(0, 1, 7)[:, np.newaxis, np.newaxis] * POINTS[3]
    lost = line.copy()
    lost[[0, 3, 4]] = 0  # as OpenFace writes them
    success = [0, 1, 1, 0, 0, 1, 1]
    expected = line.copy()
    expected[0] = line[1]
    file = write_csv(lost, frame=np.arange(7), success=success)
    np.testing.assert_allclose(read_landmarks(file), expected, atol=1e-9)


@pytest.mark.parametrize("no_number", ["nan", "-nan(ind)", "", "inf"])
def test_a_frame_with_a_missing_number_is_interpolated(no_number):
    line = np.linspace(0, 1, 7)[:, np.newaxis, np.newaxis] * POINTS[3]
    file = write_csv(line).replace(str(line[4, 5, 0]).encode(), no_number.encode())
    np.testing.assert_allclose(read_landmarks(file), line, atol=1e-9)


def test_frames_that_the_numbers_skip_are_interpolated():
    line = np.linspace(0, 1, 7)[:, np.newaxis, np.newaxis] * POINTS[3]
    rows = [0, 1, 4, 6]
    file = write_csv(line[rows], frame=np.array(rows) + 31)
    np.testing.assert_allclose(read_landmarks(file), line, atol=1e-9)


def test_of_several_faces_the_one_in_most_frames():
    points = np.concatenate([POINTS + 5, POINTS[:3]])
    faces = [4] * 7 + [2] * 3
    file = write_csv(points, frame=[*range(7), *range(3)], face_id=faces)
    np.testing.assert_array_equal(read_landmarks(file), POINTS + 5)


@pytest.mark.parametrize(
    ("file", "message"),
    [
        (b"frame,a\n1,2\n", "0 of x and 0 of y"),
        (b"x_0,x_1,y_0\n1,2,3\n", "2 of x and 1 of y"),
        (b"x_0,x_2,y_0,y_2\n1,2,3,4\n", "with gaps"),
        (b"x_0,y_0\n", "a row per frame, found none"),
        (b"x_0,y_0\n1,two\n", "another form .*two"),
        (b"x_0,y_0\n1,2\n5,6,7\n", "another form"),
        (b"x_0,y_0\n1,2,3,4\n5,6,7,8\n", "more numbers than the header has names"),
        (b"\xff\xfe\x00\x01,\n\x00", "another form"),
        (b"x_0,y_0\n1,1e7\n", "in pixels, found one at 1e\\+07"),
        (b"x_0,x_0 ,y_0\n1,2,3\n", "one twice"),
        (b"frame,x_0,y_0\n2,1,1\n1,1,1\n", "in the order of their numbers"),
        (b"frame,x_0,y_0\nnan,1,1\n", "in the order of their numbers"),
        (b"frame,x_0,y_0\n0,1,1\n1e9,1,1\n", "max_frames.*frames 0 to 1000000000"),
        (b"success,x_0,y_0\n0,1,1\n0,1,1\n", "no face in any of 2 frames"),
        (b"", "0 bytes in memory"),
    ],
)
def test_what_is_wrong_is_named(file, message):
    with pytest.raises(MediaError, match=message) as error:
        LandmarkLoader().transform([file])
    assert str(error.value).startswith(f"row 0: <{len(file)} bytes in memory>: expected ")


def test_errors_name_the_file(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(b"frame\n1\n")
    for clip in (path, tmp_path / "b.csv"):
        with pytest.raises(MediaError, match=f"^{clip}: expected"):
            LandmarkLoader().transform([str(clip)])
    with pytest.raises(MediaError, match="row 1: expected a clip"):
        LandmarkLoader().transform([write_csv(POINTS), None])
    with pytest.raises(MediaError, match="found sound at 16000 Hz"):
        LandmarkLoader().transform([(16000, np.zeros(9))])


@pytest.mark.parametrize(
    ("times", "rows"),
    [("0.1,0.2", slice(3, 6)), ("0.11", slice(4, None)), (",0.0334", slice(0, 2)),
     ("0,0.7", slice(None)), ("0.2", slice(6, 7))],
)  # fmt: skip
def test_segments_have_the_rows_of_their_times(tmp_path, times, rows):
    settings = {"frame": np.arange(3, 10), "timestamp": np.round(np.arange(7) / 30, 3)}
    settings["success"] = [1, 1, 1, 0, 1, 0, 1]
    path = tmp_path / "a.csv"
    path.write_bytes(write_csv(POINTS, **settings))
    part = write_csv(POINTS[rows], **{name: cells[rows] for name, cells in settings.items()})
    [landmarks] = LandmarkLoader().transform([f"{path}#t={times}"])
    np.testing.assert_array_equal(landmarks, read_landmarks(part))
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as archive:
        archive.write(path, "a.csv")
    member = f"zip://a.csv::{tmp_path / 'b.zip'}#t={times}"
    np.testing.assert_array_equal(read_landmarks(member), landmarks)


def test_segments_that_are_none(tmp_path):
    path = tmp_path / "a.csv"

    def refused(message, times="0.1,0.2", **columns):
        path.write_bytes(write_csv(POINTS, **columns))
        with pytest.raises(MediaError, match=rf"^{path}#t={times}: expected .*{message}"):
            LandmarkLoader().transform([f"{path}#t={times}"])

    stamps = np.arange(7) / 10
    refused("column timestamp .*, which a segment needs", frame=np.arange(7))
    refused("clip of 0.700 s, found its start at 0.7 s", "0.7,0.8", timestamp=stamps)
    refused("clip of 0.700 s, found its end at 1.3 s", "0.1,1.3", timestamp=stamps)
    refused("between two frames", "0.11,0.12", timestamp=stamps)
    refused("in order, found others", timestamp=stamps[::-1])
    refused("no face in any of 1 frames", timestamp=stamps, success=[1, 0, 1, 1, 1, 1, 1])
    refused("another form .*soon", timestamp=["soon"] * 7)
    assert len(read_landmarks(path)) == 7  # which does not need them
    path.write_bytes(write_csv(POINTS, timestamp=stamps))
    with skemotion.limits(max_frames=2):
        assert len(read_landmarks(f"{path}#t=0.1,0.3")) == 2


def test_limits_are_kept():
    with skemotion.limits(max_frames=6), pytest.raises(MediaError, match="max_frames"):
        read_landmarks(write_csv(POINTS))


def test_the_published_files_of_ravdess(shared_data):
    archive = shared_data / "ravdess-landmarks" / "FacialTracking_Actors_01-12.zip"
    landmarks = read_landmarks(f"zip://Actor_01/02-01-03-02-01-01-01.csv::{archive}")
    with zipfile.ZipFile(archive).open("Actor_01/02-01-03-02-01-01-01.csv") as file:
        table = pd.read_csv(file)
    assert landmarks.shape == (len(table), 68, 2)
    np.testing.assert_array_equal(landmarks[:, 30, 1], table["y_30"])
    # In a picture of 1280 x 720, eyes above the mouth.
    assert landmarks.min() > 0
    assert landmarks[..., 0].max() < 1280
    assert (landmarks[:, 36:48, 1].max(axis=1) < landmarks[:, 48:, 1].min(axis=1)).all()
