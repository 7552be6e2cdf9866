import os
import pickle
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import joblib
import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from sklearn.base import clone
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline

from skemotion import load_model, save_model
from skemotion.decomposition import BSplineProjector
from skemotion.io import _onnx, network_files
from skemotion.pipeline import ClipCache, ClipPipeline
from skemotion.video import ONNXBackbone, VideoLoader

N_MAPS, N_VALUES = 4, 5
TYPES = {
    np.float32: TensorProto.FLOAT,
    np.float16: TensorProto.FLOAT16,
}


def weights(seed=0, n_channels=3):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((N_MAPS, n_channels, 3, 3)), rng.standard_normal((N_MAPS, N_VALUES))


def save_network(
    path, side=8, *, n="n", n_channels=3, last=False, dtype=np.float32, seed=0, location=None
):
    """Save a convolution's feature maps, "maps", and a dense layer after their mean, "values"."""
    kernels, dense = (w.astype(dtype) for w in weights(seed, n_channels))
    height, width = (side, side) if np.isscalar(side) else side
    shape = [n, height, width, n_channels] if last else [n, n_channels, height, width]
    nodes = [
        helper.make_node("Conv", ["first" if last else "picture", "kernels"], ["conv"]),
        helper.make_node("Relu", ["conv"], ["relu" if last else "maps"]),
        helper.make_node("GlobalAveragePool", ["relu" if last else "maps"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("MatMul", ["flat", "dense"], ["values"]),
        helper.make_node("Shape", ["picture"], ["size"]),
    ]
    if last:
        nodes.insert(0, helper.make_node("Transpose", ["picture"], ["first"], perm=[0, 3, 1, 2]))
        nodes.append(helper.make_node("Transpose", ["relu"], ["maps"], perm=[0, 2, 3, 1]))
    kind = TYPES[dtype]
    graph = helper.make_graph(
        nodes,
        "network",
        [helper.make_tensor_value_info("picture", kind, shape)],
        [helper.make_tensor_value_info(name, kind, None) for name in ("values", "maps")]
        + [helper.make_tensor_value_info("size", TensorProto.INT64, None)],
        [numpy_helper.from_array(kernels, "kernels"), numpy_helper.from_array(dense, "dense")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    external = {"save_as_external_data": True, "location": location, "size_threshold": 0}
    onnx.save(model, path, **(external if location else {}))
    return str(path)


def reference(pictures, seed=0):
    """Do in NumPy what the network does with (n, height, width, channel) numbers."""
    kernels, dense = weights(seed, pictures.shape[-1])
    windows = np.lib.stride_tricks.sliding_window_view(pictures, (3, 3), axis=(1, 2))
    maps = np.maximum(np.einsum("nyxcij,kcij->nyxk", windows, kernels), 0).mean(axis=(1, 2))
    return maps @ dense, maps


@pytest.fixture
def network(tmp_path):
    return save_network(tmp_path / "network.onnx")


@pytest.fixture
def opened(monkeypatch):
    """Count how often a network is opened, and the pictures that go through one at once."""
    counts = {"opened": 0, "pictures": []}
    session = onnxruntime.InferenceSession

    class Spy:
        def __init__(self, *args):
            counts["opened"] += 1
            self.session = session(*args)

        def run(self, names, feed):
            counts["pictures"].append(len(feed["picture"]))
            return self.session.run(names, feed)

        def __getattr__(self, name):
            return getattr(self.session, name)

    monkeypatch.setattr(onnxruntime, "InferenceSession", Spy)
    return counts


def clip(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


@pytest.mark.parametrize("last", [False, True], ids=["NCHW", "NHWC"])
@pytest.mark.parametrize("color", ["rgb", "bgr"])
def test_equals_the_network_in_numpy(tmp_path, color, last):
    path = save_network(tmp_path / "a.onnx", (8, 10), last=last)
    mean, std = (103.939, 116.779, 123.68), (50.0, 55.0, 60.0)
    frames = clip(2, 7, 8, 10, 3)
    backbone = ONNXBackbone(path, color=color, mean=mean, std=std, batch_size=3)
    ordered = frames[..., ::-1] if color == "bgr" else frames
    for row in range(2):
        values, maps = reference((ordered[row] - np.array(mean)) / std)
        got = backbone.transform(frames)[row]
        assert got.dtype == np.float32
        np.testing.assert_allclose(got, values.mean(axis=0), rtol=1e-4, atol=1e-5)
        got = clone(backbone).set_params(output="maps").transform(frames)[row]
        np.testing.assert_allclose(got, maps.mean(axis=0), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("dtype", list(TYPES))
def test_networks_of_any_float(tmp_path, dtype):
    path = save_network(tmp_path / "a.onnx", dtype=dtype)
    frames = clip(1, 3, 8, 8, 3)
    expected = reference(frames[0] / 255)[0].mean(axis=0)
    rtol = 0.02 if dtype == np.float16 else 1e-4
    for kind in (np.uint8, np.float32, np.float64):
        got = ONNXBackbone(path).transform(frames.astype(kind))
        assert got.dtype == (np.float64 if kind == np.float64 else np.float32)
        np.testing.assert_allclose(got[0], expected, rtol=rtol, atol=rtol)


def test_frames_are_resized_by_area(network):
    frames = clip(1, 2, 16, 24, 3).astype(np.float64)
    small = frames.reshape(1, 2, 8, 2, 8, 3, 3).mean(axis=(3, 5))
    backbone = ONNXBackbone(network)
    np.testing.assert_allclose(backbone.transform(frames), backbone.transform(small), atol=1e-4)


def test_a_network_for_any_size_needs_one(tmp_path):
    path = save_network(tmp_path / "a.onnx", ("h", "w"))
    frames = clip(1, 2, 6, 9, 3)
    got = ONNXBackbone(path, input_size=(6, 9)).transform(frames)
    np.testing.assert_allclose(got[0], reference(frames[0] / 255)[0].mean(axis=0), rtol=1e-4)
    with pytest.raises(ValueError, match=r"a\.onnx.*any size. Set input_size"):
        ONNXBackbone(path).transform(frames)


def test_grey_and_colour(tmp_path, network):
    rgb = clip(1, 3, 8, 8, 3)
    grey = np.repeat((rgb @ [0.299, 0.587, 0.114]).round().astype(np.uint8)[..., None], 3, axis=4)
    for frames in (grey[..., 0], grey[..., :1]):
        np.testing.assert_array_equal(
            ONNXBackbone(network).transform(frames), ONNXBackbone(network).transform(grey)
        )
    path = save_network(tmp_path / "gray.onnx", n_channels=1)
    backbone = ONNXBackbone(path, color="gray")
    expected = reference(grey[0, ..., :1] / 255)[0].mean(axis=0)
    for frames in (rgb, grey, grey[..., 0]):
        np.testing.assert_allclose(backbone.transform(frames)[0], expected, rtol=1e-4, atol=1e-5)


def test_pooling_of_arrays_columns_and_tables(network):
    frames = clip(2, 5, 8, 8, 3)
    each = np.stack([reference(f / 255)[0] for f in frames])
    for pooling, expected in (("mean", each.mean(1)), ("max", each.max(1)), (None, each)):
        got = ONNXBackbone(network, pooling=pooling).fit_transform(frames)
        np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-5)
    column = [frames[0], frames[1, :2], clip(4, 30, 20)]
    pooled = ONNXBackbone(network).fit_transform(column)
    assert pooled.shape == (3, N_VALUES)
    curves = ONNXBackbone(network, pooling=None).fit_transform(column)
    assert [curve.shape for curve in curves] == [(5, N_VALUES), (2, N_VALUES), (4, N_VALUES)]
    np.testing.assert_allclose(pooled, [c.mean(axis=0) for c in curves], rtol=1e-5)
    assert BSplineProjector().fit_transform(curves).shape == (3, 14, N_VALUES)
    # One clip does not decide what a column turns into.
    assert ONNXBackbone(network, pooling=None).transform(column[:1]).dtype == object

    table = np.array([[0.0, 51.0, 255.0], [9.0, 9.0, 9.0]])
    flat = np.broadcast_to(table[..., None, None, None], (2, 3, 8, 8, 3))
    each = ONNXBackbone(network, pooling=None)
    np.testing.assert_array_equal(
        each.fit_transform(table), each.fit_transform(flat).reshape(2, -1)
    )


@settings(deadline=None, max_examples=15)
@given(st.integers(1, 6), st.integers(1, 20), st.integers(1, 20), st.integers(1, 7))
def test_frames_are_described_one_by_one(tmp_path_factory, n_frames, height, width, batch_size):
    path = str(tmp_path_factory.getbasetemp() / "one.onnx")
    if not Path(path).exists():
        save_network(path)
    frames = clip(n_frames, height, width, seed=height)
    each = ONNXBackbone(path, pooling=None, batch_size=batch_size).transform([frames])[0]
    for t, frame in enumerate(frames):
        alone = ONNXBackbone(path).transform([frame[np.newaxis]])[0]
        np.testing.assert_allclose(each[t], alone, rtol=1e-4, atol=1e-6)


def test_a_clip_does_not_depend_on_its_neighbours(network):
    frames = clip(3, 9, 12, 12, 3)
    together = ONNXBackbone(network).transform(frames)
    np.testing.assert_array_equal(together[[2, 0]], ONNXBackbone(network).transform(frames[[2, 0]]))
    np.testing.assert_array_equal(together, ONNXBackbone(network).transform(list(frames)))


def test_batches_bound_the_memory(tmp_path, opened):
    frames = clip(1, 7, 8, 8, 3)
    path = save_network(tmp_path / "any.onnx")
    expected = ONNXBackbone(path, batch_size=3).transform(frames)
    assert opened["pictures"] == [3, 3, 1]
    for n, pictures in ((1, [1] * 7), (4, [4, 4])):
        opened["pictures"].clear()
        path = save_network(tmp_path / f"{n}.onnx", n=n)
        got = ONNXBackbone(path, batch_size=3).transform(frames)
        np.testing.assert_allclose(got, expected, rtol=1e-5)
        assert opened["pictures"] == pictures


def test_a_network_is_opened_once_per_process_and_not_pickled(tmp_path, opened):
    path = save_network(tmp_path / "a.onnx", 40)
    backbone = ONNXBackbone(path)
    frames = [clip(6, 40, 40, 3, seed=i) for i in range(8)]
    with ThreadPoolExecutor(8) as threads:
        got = list(threads.map(lambda f: backbone.transform([f]), frames))
    assert opened["opened"] == 1
    np.testing.assert_array_equal(np.concatenate(got), clone(backbone).transform(frames))
    backbone.fit(frames)
    again = pickle.loads(pickle.dumps(backbone))
    np.testing.assert_array_equal(again.transform(frames), np.concatenate(got))
    assert opened["opened"] == 1
    save_network(path, 40, seed=1)
    expected = reference(frames[0] / 255, seed=1)[0].mean(axis=0)
    np.testing.assert_allclose(backbone.transform(frames)[0], expected, rtol=1e-4, atol=1e-5)
    assert opened["opened"] == 2


def test_runs_in_other_processes(network):
    frames = clip(2, 3, 8, 8, 3)
    backbone = ONNXBackbone(network).fit(frames)
    got = joblib.Parallel(n_jobs=2, backend="loky")(
        joblib.delayed(backbone.transform)(frames[[row]]) for row in range(2)
    )
    np.testing.assert_array_equal(np.concatenate(got), backbone.transform(frames))


def test_in_a_clip_pipeline_with_memory(tmp_path, opened):
    path = save_network(tmp_path / "network.onnx")
    memory = tmp_path / "cache"
    clips = [clip(6 + i, 20, 30, 3, seed=i) for i in range(5)]
    steps = [("load", VideoLoader(n_frames=4, color="rgb", size=(9, 9))),
             ("backbone", ONNXBackbone(path))]  # fmt: skip
    features = ClipPipeline(steps, memory=memory, n_jobs=2)
    expected = steps[1][1].transform(steps[0][1].transform(clips))
    np.testing.assert_array_equal(features.fit_transform(clips), expected)
    assert ClipCache(memory).n_entries == 10
    n_runs = len(opened["pictures"])
    np.testing.assert_array_equal(features.transform(clips), expected)
    assert len(opened["pictures"]) == n_runs  # kept
    # Another network under the same path.
    save_network(path, seed=1)
    changed = features.transform(clips)
    np.testing.assert_array_equal(changed, ClipPipeline(steps).transform(clips))
    assert not np.allclose(changed, expected)
    assert ClipCache(memory).n_entries == 15  # the loader's are kept
    # Another runtime may give other numbers.
    n_runs = len(opened["pictures"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(onnxruntime, "__version__", "another")
        features.transform(clips)
    assert len(opened["pictures"]) == n_runs + 5


def test_the_cache_notices_a_change_of_weights_outside_the_file(tmp_path):
    for location in ("network.onnx.data", "w" * 200):
        path = save_network(tmp_path / "network.onnx", location=location)
        assert [Path(name).name for name, _, _ in network_files(path)] == [
            "network.onnx", location
        ]  # fmt: skip
        features = ClipPipeline([("backbone", ONNXBackbone(path))], memory=tmp_path / "cache")
        clips = [clip(3, 8, 8, 3)]
        before = features.fit_transform(clips)
        other = save_network(tmp_path / "other.onnx", seed=1, location="other.data")
        written = Path(path).stat().st_mtime_ns
        (tmp_path / "other.data").replace(tmp_path / location)
        assert Path(path).stat().st_mtime_ns == written
        expected = ONNXBackbone(save_network(other, seed=1)).transform(clips)
        np.testing.assert_allclose(features.transform(clips), expected, rtol=1e-6)
        assert not np.allclose(before, expected)


def test_under_a_classifier_saved_and_loaded(tmp_path):
    folder = tmp_path / "networks"
    folder.mkdir()
    path = save_network(folder / "network.onnx")
    clips = [clip(4, 10, 10, 3, seed=i) // (1 + i % 2) for i in range(12)]
    y = ["calm", "angry"] * 6
    model = make_pipeline(
        ClipPipeline([("backbone", ONNXBackbone(path))], n_jobs=2),
        MLPClassifier((16,), solver="lbfgs", random_state=0),
    ).fit(clips, y)
    assert model.score(clips, y) == 1
    saved = save_model(model, tmp_path / "model.skops")
    loaded = load_model(saved)
    np.testing.assert_array_equal(loaded.predict_proba(clips), model.predict_proba(clips))
    # Only the path is in the saved model.
    shutil.move(folder, tmp_path / "elsewhere")
    loaded = load_model(saved)
    with pytest.raises(FileNotFoundError, match=r"network\.onnx: no such ONNX file"):
        loaded.predict(clips)


def test_names(network):
    frames = clip(2, 3, 8, 8)
    names = ONNXBackbone(network).fit(frames).get_feature_names_out()
    assert list(names) == [f"backbone{i:04d}" for i in range(N_VALUES)]
    each = ONNXBackbone(network, pooling=None, output="maps").fit(frames)
    names = each.get_feature_names_out()
    assert len(names) == each.transform(frames)[0].size
    assert names[N_MAPS * 2 + 1] == "backbone0001_frame002"
    each.fit(list(frames))
    assert len(each.get_feature_names_out()) == N_MAPS


def tiny(path, inputs, nodes, outputs=("y",)):
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info(name, kind, shape) for name, kind, shape in inputs],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
    )
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), path)
    return str(path)


PICTURE = ("x", TensorProto.FLOAT, ["n", 3, 8, 8])


@pytest.mark.parametrize(
    ("inputs", "node", "message"),
    [
        ([("x", TensorProto.FLOAT, ["n", 3])], ("Relu",), r"one input.*four axes.*\['n', 3\]"),
        ([("x", TensorProto.FLOAT, ["n", 8, 8])], ("Relu",), "one input for pictures"),
        ([PICTURE, ("z", TensorProto.FLOAT, ["n", 1])], ("Add", "z"), "found 'x'.*'z'"),
        ([("x", TensorProto.UINT8, ["n", 8, 8, 3])], ("Cast",), r"tensor\(uint8\)"),
        ([("x", TensorProto.DOUBLE, ["n", 3, 8, 8])], ("Cast",), r"tensor\(double\)"),
        ([("x", TensorProto.FLOAT, list("nchw"))], ("Relu",), "NCHW.*make_dynamic_shape_fixed"),
        ([("x", TensorProto.FLOAT, ["n", 3, 8, 3])], ("Relu",), "which axis.*must be fixed"),
        ([("x", TensorProto.FLOAT, ["n", 64, 8, 8])], ("Relu",), "which axis"),
        ([("x", TensorProto.FLOAT, ["n", 1, 8, 8])], ("Relu",), "pictures of 1 channel.*'gray'"),
        ([PICTURE], ("ReduceMax",), r"output 'y' a row.*shape \(\)"),
        ([PICTURE], ("Shape",), "row of numbers.*int64"),
        ([PICTURE], ("Log",), "'y' is NaN or infinite. Check color, mean and std"),
    ],
)
def test_refuses_networks(tmp_path, inputs, node, message):
    settings = {"ReduceMax": {"keepdims": 0}, "Cast": {"to": TensorProto.FLOAT}}
    name, *more = node
    made = helper.make_node(name, ["x", *more], ["y"], **settings.get(name, {}))
    path = tiny(tmp_path / "bad.onnx", inputs, [made])
    if name == "Shape":
        model = onnx.load(path)
        model.graph.output[0].type.tensor_type.elem_type = TensorProto.INT64
        onnx.save(model, path)
    for action in (ONNXBackbone(path).fit, ONNXBackbone(path).transform):
        with pytest.raises(ValueError, match=r"(?s)bad\.onnx: .*" + message):
            action([np.zeros((2, 8, 8, 3))])


def test_refuses_files_that_are_no_network(tmp_path, network):
    frames = [np.zeros((2, 8, 8))]
    content = Path(network).read_bytes()
    for name, damaged in (("a", b""), ("b", b"<html>"), ("c", content[:-40]), ("d", b"\0" * 99)):
        path = tmp_path / f"{name}.onnx"
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=rf"{name}\.onnx: expected a network.*Export or down"):
            ONNXBackbone(str(path)).transform(frames)
    for path in (tmp_path, tmp_path / "nowhere.onnx", tmp_path / "null\0.onnx"):
        with pytest.raises(FileNotFoundError, match=r"no such ONNX file.*Check the path"):
            ONNXBackbone(str(path)).transform(frames)
    split = save_network(tmp_path / "split.onnx", location="split.data")
    (tmp_path / "split.data").rename(tmp_path / "moved.data")
    with pytest.raises(FileNotFoundError, match=r"split\.onnx: .*in 'split\.data'.*next to it"):
        ONNXBackbone(split).transform(frames)


def test_refuses_weights_outside_the_folder(tmp_path):
    path = Path(save_network(tmp_path / "a.onnx", location="a.data"))
    (tmp_path / "inner").mkdir()
    model = onnx.load(path, load_external_data=False)
    for tensor in model.graph.initializer:
        tensor.external_data[0].value = "../a.data"
    outside = tmp_path / "inner" / "a.onnx"
    outside.write_bytes(model.SerializeToString())
    with pytest.raises(ValueError, match=r"inner.a\.onnx: .*escapes.*as a single file"):
        ONNXBackbone(str(outside)).transform([np.zeros((2, 8, 8))])


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"input_size": (224, 224)}, "of height 8 and width 8, input_size is .*Leave it out"),
        ({"input_size": (8,)}, "height, width"),
        ({"input_size": (8, 0.5)}, "height, width"),
        ({"color": "gray"}, r"3 channel\(s\), color='gray' gives 1"),
        ({"mean": (1.0, 2.0)}, "mean must be a number or 3 of them"),
        ({"mean": ("a", "b", "c")}, "mean must be a number"),
        ({"std": (1.0, 1.0, np.inf)}, "std must be a number"),
        ({"std": 0}, "std must be positive"),
        ({"output": "features"}, "no output 'features'. Choose one of 'values', 'maps', 'size'"),
        ({"output": "size"}, "expected of output 'size'.*int64"),
        ({"model": Path("network.onnx")}, "'model' parameter"),
    ],
)
def test_refuses_parameters(network, parameters, message):
    backbone = ONNXBackbone(**{"model": network, **parameters})
    with pytest.raises(ValueError, match=message):
        backbone.fit([np.zeros((2, 8, 8, 3))])


@pytest.mark.parametrize(
    ("clips", "message"),
    [
        (["clip.mp4"], "found 'clip.mp4' in row 0"),
        ([np.zeros((2, 8, 8)), np.zeros((8, 8))], r"array of shape \(8, 8\).*row 1"),
        ([np.full((2, 8, 8), np.nan)], "NaN"),
        (np.zeros((1, 2, 8)), "expected clips of shape"),
        ([np.zeros((2, 8, 8, 4))], "1 or 3 channels"),
        (np.zeros((1, 2, 8, 8, 4)), "1 or 3 channels"),
    ],
)
def test_refuses_clips(network, clips, message):
    with pytest.raises(ValueError, match=message):
        ONNXBackbone(network).transform(clips)


def test_pictures_too_small_for_the_network(tmp_path):
    path = save_network(tmp_path / "a.onnx", ("h", "w"))
    with pytest.raises(ValueError, match=r"a\.onnx: the network fails.*\(1, 3, 2, 2\).*input_size"):
        ONNXBackbone(path, input_size=(2, 2)).fit([np.zeros((2, 8, 8))])


def test_the_runtime_is_an_extra(network, monkeypatch):
    code = "import sys, skemotion.video; print('onnxruntime' in sys.modules)"
    path = os.pathsep.join(filter(None, sys.path))
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": path},
    )
    assert done.stdout.strip() == "False"
    _onnx._open.cache_clear()
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ImportError) as error:
        ONNXBackbone(network).transform([np.zeros((2, 8, 8))])
    assert str(error.value) == (
        'Networks in ONNX files need onnxruntime: python -m pip install "skemotion[onnx]"'
    )
