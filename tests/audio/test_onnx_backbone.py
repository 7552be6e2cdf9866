import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import joblib
import librosa
import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from skemotion import load_model, save_model
from skemotion.audio import AudioLoader, ONNXAudioBackbone
from skemotion.decomposition import BSplineProjector
from skemotion.pipeline import ClipCache, ClipPipeline, UnusableClipWarning

KERNEL, STRIDE, N_VALUES, N_MELS = 4, 2, 5, 24
FLOAT = TensorProto.FLOAT


def save(path, inputs, nodes, outputs, weights=()):
    graph = helper.make_graph(
        nodes,
        "network",
        [helper.make_tensor_value_info(name, kind, shape) for name, kind, shape in inputs],
        [helper.make_tensor_value_info(name, kind, shape) for name, kind, shape in outputs],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in weights],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, path)
    return str(path)


def kernels(n_channels=1, seed=0, dtype=np.float32):
    shape = (N_VALUES, n_channels, KERNEL)
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def save_waveform_network(path, n_samples="n_samples", *, channel=False, dtype=np.float32, seed=0):
    """Save a convolution: "frames", (1, n_frames, n_values), "maps", turned round, and "row"."""
    kind = FLOAT if dtype == np.float32 else TensorProto.FLOAT16
    nodes = [
        helper.make_node("Conv", ["with_channel", "kernels"], ["conv"], strides=[STRIDE]),
        helper.make_node("Relu", ["conv"], ["maps"]),
        helper.make_node("Transpose", ["maps"], ["frames"], perm=[0, 2, 1]),
        helper.make_node("ReduceMean", ["maps"], ["row"], axes=[2], keepdims=0),
        helper.make_node("Unsqueeze", ["maps", "axis"], ["pictures"]),
        helper.make_node("Shape", ["maps"], ["shape"]),
    ]
    if channel:
        nodes.insert(0, helper.make_node("Identity", ["sound"], ["with_channel"]))
    else:
        nodes.insert(0, helper.make_node("Unsqueeze", ["sound", "axis"], ["with_channel"]))
    is_fixed = isinstance(n_samples, int)
    n_frames = (n_samples - KERNEL) // STRIDE + 1 if is_fixed else "n_frames"
    return save(
        path,
        [("sound", kind, [1, 1, n_samples] if channel else ["n", n_samples])],
        nodes,
        [("frames", kind, [1, n_frames, N_VALUES]), ("maps", kind, [1, N_VALUES, n_frames]),
         ("row", kind, [1, N_VALUES]), ("pictures", kind, None),
         ("shape", TensorProto.INT64, None)],
        [("kernels", kernels(seed=seed, dtype=dtype)), ("axis", np.array([1]))],
    )  # fmt: skip


def save_mel_network(path, layout, n_frames="n_frames"):
    """Save a convolution of a spectrogram over time, whose axes are as `layout` says."""
    shape = {"t": n_frames, "m": N_MELS, "n": "n", "c": 1}
    nodes = [helper.make_node("Conv", ["bands", "kernels"], ["maps"], strides=[STRIDE]),
             helper.make_node("Transpose", ["maps"], ["frames"], perm=[0, 2, 1])]  # fmt: skip
    before = "sound"
    if "c" in layout:
        nodes.insert(0, helper.make_node("Squeeze", ["sound", "axis"], ["squeezed"]))
        before = "squeezed"
    perm = [0, 1, 2] if layout[-1] == "t" else [0, 2, 1]
    nodes.insert(-2, helper.make_node("Transpose", [before], ["bands"], perm=perm))
    return save(
        path,
        [("sound", FLOAT, [shape[axis] for axis in layout])],
        nodes,
        [("frames", FLOAT, None)],
        [("kernels", kernels(N_MELS)), ("axis", np.array([1]))],
    )


def reference(sound, seed=0):
    """Do in NumPy what the networks do with (n_samples,) or, without Relu, (n_frames, n_mels)."""
    columns = sound.reshape(len(sound), -1)
    windows = np.lib.stride_tricks.sliding_window_view(columns, KERNEL, axis=0)[::STRIDE]
    values = np.einsum("tck,vck->tv", windows, kernels(columns.shape[1], seed))
    return np.maximum(values, 0) if sound.ndim == 1 else values


def normalized(sound):
    return (sound - sound.mean()) / np.sqrt(sound.var() + 1e-7)


def clip(n_samples, seed=0):
    return 0.3 * np.random.default_rng(seed).standard_normal(n_samples) + 0.1


@pytest.fixture
def network(tmp_path):
    return save_waveform_network(tmp_path / "network.onnx")


@pytest.fixture
def lengths(monkeypatch):
    """Note the length of everything that goes through a network."""
    noted = []
    session = onnxruntime.InferenceSession

    class Spy:
        def __init__(self, *args):
            self.session = session(*args)

        def run(self, names, feed):
            noted.append(feed["sound"].shape[-1])
            return self.session.run(names, feed)

        def __getattr__(self, name):
            return getattr(self.session, name)

    monkeypatch.setattr(onnxruntime, "InferenceSession", Spy)
    return noted


@pytest.mark.parametrize("output", [None, "maps"])
@pytest.mark.parametrize("normalize", [True, False])
def test_equals_the_network_in_numpy(network, output, normalize):
    clips = [clip(50 + 7 * i, seed=i) for i in range(3)]
    backbone = ONNXAudioBackbone(network, normalize=normalize, output=output)
    each = [reference(normalized(x) if normalize else x) for x in clips]
    near = {"rtol": 1e-4, "atol": 1e-5}
    np.testing.assert_allclose(backbone.fit_transform(clips), [e.mean(0) for e in each], **near)
    backbone.set_params(pooling="max")
    np.testing.assert_allclose(backbone.transform(clips), [e.max(0) for e in each], **near)
    curves = backbone.set_params(pooling=None).transform(clips)
    for got, expected in zip(curves, each, strict=True):
        np.testing.assert_allclose(got, expected, **near)
    assert BSplineProjector().fit_transform(curves).shape == (3, 14, N_VALUES)
    # One clip does not decide what a column turns into.
    assert backbone.transform(clips[:1]).dtype == object


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
@pytest.mark.parametrize("channel", [False, True])
def test_networks_of_any_float_and_shape(tmp_path, dtype, channel):
    path = save_waveform_network(tmp_path / "a.onnx", channel=channel, dtype=dtype)
    expected = reference(normalized(clip(60))).mean(axis=0)
    rtol = 0.02 if dtype == np.float16 else 1e-4
    for kind in (np.float32, np.float64):
        got = ONNXAudioBackbone(path).transform([clip(60).astype(kind)])
        assert got.dtype == kind
        np.testing.assert_allclose(got[0], expected, rtol=rtol, atol=rtol)


@pytest.mark.parametrize("layout", ["ntm", "nmt", "nctm", "ncmt"])
def test_mel_spectrograms_are_librosas(tmp_path, layout):
    path = save_mel_network(tmp_path / "mel.onnx", layout)
    settings = {"sample_rate": 8000, "n_mels": N_MELS, "frame_length": 256, "hop_length": 80}
    sound = clip(3000)
    mel = librosa.feature.melspectrogram(
        y=sound, sr=8000, n_fft=256, hop_length=80, n_mels=N_MELS, pad_mode="constant"
    )
    mel = 10 * np.log10(np.maximum(mel, 1e-10)).T
    for normalize in (True, False):
        backbone = ONNXAudioBackbone(path, "mel", normalize=normalize, **settings)
        expected = reference(normalized(mel) if normalize else mel).mean(axis=0)
        np.testing.assert_allclose(backbone.transform([sound])[0], expected, rtol=1e-3, atol=1e-3)
    pieces = backbone.set_params(pooling=None, chunk_duration=0.1).transform([sound])[0]
    whole = backbone.set_params(chunk_duration=None).transform([sound])[0]
    # 38 frames in pieces of 10, 10, 9 and 9, of which the network makes 4, 4, 3 and 3.
    assert (len(pieces), len(whole)) == (14, 18)
    np.testing.assert_allclose(pieces[:4], whole[:4], rtol=1e-4, atol=1e-4)


@settings(deadline=None, max_examples=25)
@given(st.integers(4, 400), st.integers(4, 90))
def test_long_clips_go_in_pieces_of_one_length(tmp_path_factory, n_samples, n_at_once):
    path = str(tmp_path_factory.getbasetemp() / "pieces.onnx")
    if not Path(path).exists():
        save_waveform_network(path)
    sound = clip(n_samples, seed=n_samples)
    n_at_once = max(n_at_once, 2 * KERNEL)  # of half that, the network still makes a frame
    pieces = np.array_split(normalized(sound), -(-n_samples // n_at_once))
    each = [reference(piece) for piece in pieces]
    backbone = ONNXAudioBackbone(path, sample_rate=1000, chunk_duration=n_at_once / 1000)
    weights = np.concatenate(
        [np.full(len(e), len(p) / len(e)) for e, p in zip(each, pieces, strict=True)]
    )
    expected = weights @ np.concatenate(each) / n_samples
    got = backbone.transform([sound])[0]
    np.testing.assert_allclose(got, expected, rtol=1e-3, atol=1e-5)
    rows = [e.mean(axis=0) * len(p) for e, p in zip(each, pieces, strict=True)]
    backbone.set_params(output="row")
    got = backbone.transform([sound])[0]
    np.testing.assert_allclose(got, np.sum(rows, axis=0) / n_samples, rtol=1e-3, atol=1e-5)


def test_pieces_bound_the_memory(network, lengths):
    ONNXAudioBackbone(network).transform([clip(16000 * 70)])
    assert max(lengths) <= 16000 * 30
    assert np.ptp(lengths) <= 1
    assert sum(lengths) == 16000 * 70
    lengths.clear()
    ONNXAudioBackbone(network, chunk_duration=None).transform([clip(16000 * 70)])
    assert lengths == [16000 * 70]


def test_networks_of_a_fixed_length(tmp_path, lengths):
    path = save_waveform_network(tmp_path / "fixed.onnx", 40)
    sound = clip(90)
    filled = np.concatenate([normalized(sound), np.zeros(30)])
    each = [
        reference(piece)[:n] for piece, n in zip(filled.reshape(3, 40), (19, 19, 5), strict=True)
    ]
    got = ONNXAudioBackbone(path, pooling=None).transform([sound])[0]
    np.testing.assert_allclose(got, np.concatenate(each), rtol=1e-4, atol=1e-5)
    assert lengths == [40, 40, 40]
    short = ONNXAudioBackbone(path, pooling=None).transform([sound[:1]])[0]
    assert short.shape == (1, N_VALUES)
    mel = save_mel_network(tmp_path / "mel.onnx", "ntm", 50)
    got = ONNXAudioBackbone(mel, "mel", n_mels=N_MELS, pooling=None).transform([clip(160 * 60)])[0]
    assert len(got) == 24 + 6  # 61 frames: 50, and 11 of 50


def test_attention_masks_say_what_is_filling(tmp_path):
    """The network gives the mask's sum, with a wav2vec 2.0's usual names and types."""
    for kind in (TensorProto.INT64, TensorProto.INT32, TensorProto.BOOL, FLOAT):
        path = save(
            tmp_path / f"mask{kind}.onnx",
            [("input_values", FLOAT, [1, 40]), ("attention_mask", kind, [1, 40])],
            [
                helper.make_node("Cast", ["attention_mask"], ["ones"], to=FLOAT),
                helper.make_node("ReduceSum", ["ones", "axis"], ["row"]),
                helper.make_node("Relu", ["input_values"], ["unused"]),
            ],
            [("row", FLOAT, [1, 1]), ("unused", FLOAT, [1, 40])],
            [("axis", np.array([1]))],
        )
        got = ONNXAudioBackbone(path, pooling="max").transform([clip(17), clip(60)])
        np.testing.assert_array_equal(got, [[17], [40]])


def test_names(network):
    clips = np.stack([clip(20), clip(20, 1)])
    backbone = ONNXAudioBackbone(network).fit(clips)
    assert list(backbone.get_feature_names_out()) == [f"backbone{i:04d}" for i in range(N_VALUES)]
    each = ONNXAudioBackbone(network, pooling=None).fit(clips)
    names = each.get_feature_names_out()
    assert len(names) == each.transform(clips)[0].size
    assert names[N_VALUES * 2 + 1] == "backbone0001_frame002"
    channels = clips[..., np.newaxis] * [1.0, -1.0]
    names = each.fit(channels).get_feature_names_out()
    assert len(names) == each.transform(channels)[0].size
    assert names[1] == "backbone0000_frame000_channel1"
    table = np.empty((1, 2), dtype=object)
    table[0, :] = list(clips)
    names = backbone.fit(table).get_feature_names_out()
    assert len(names) == backbone.transform(table).shape[1]
    assert names[-1] == "backbone0004_variant1"


def test_threads_and_processes_give_the_same(network):
    clips = [clip(5000 + i, seed=i) for i in range(6)]
    backbone = ONNXAudioBackbone(network).fit(clips)
    expected = backbone.transform(clips)
    with ThreadPoolExecutor(4) as threads:
        got = threads.map(lambda x: backbone.transform([x])[0], clips)
        np.testing.assert_array_equal(list(got), expected)
    got = joblib.Parallel(n_jobs=2, backend="loky")(
        joblib.delayed(backbone.transform)([x]) for x in clips[:2]
    )
    np.testing.assert_array_equal(np.concatenate(got), expected[:2])
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(backbone)).transform(clips), expected)


def test_in_a_clip_pipeline_with_memory_saved_and_loaded(network, tmp_path, lengths):
    clips = [(16000, clip(400 + i, seed=i) * (1 + i % 2)) for i in range(8)]
    y = ["calm", "angry"] * 4
    steps = [("load", AudioLoader(sample_rate=16000)),
             ("backbone", ONNXAudioBackbone(network, normalize=False))]  # fmt: skip
    features = ClipPipeline(steps, memory=tmp_path / "cache", n_jobs=2)
    model = make_pipeline(features, LogisticRegression(C=100.0)).fit(clips, y)
    assert model.score(clips, y) == 1
    loaded = load_model(save_model(model, tmp_path / "model.skops"))
    np.testing.assert_array_equal(loaded.predict_proba(clips), model.predict_proba(clips))
    assert ClipCache(tmp_path / "cache").n_entries == 16
    before = features.transform(clips)
    save_waveform_network(network, seed=1)
    assert not np.allclose(features.transform(clips), before)
    assert ClipCache(tmp_path / "cache").n_entries == 24  # the loader's are kept


def test_too_short_clips_become_nan_on_request(network):
    steps = [("backbone", ONNXAudioBackbone(network))]
    clips = [clip(2), clip(50)]
    with pytest.raises(ValueError, match=r"network\.onnx: the network fails.*\(1, 2\).*too short"):
        ClipPipeline(steps).fit_transform(clips)
    with pytest.warns(UnusableClipWarning, match="row 0"):
        got = ClipPipeline(steps, on_error="nan").fit_transform(clips)
    assert np.isnan(got[0]).all()
    np.testing.assert_allclose(got[1], reference(normalized(clips[1])).mean(axis=0), rtol=1e-4)


SOUND = ("x", FLOAT, ["n", "t"])


@pytest.mark.parametrize(
    ("inputs", "node", "message"),
    [
        ([("x", FLOAT, ["n", 3, "h", "w"])], ["Relu", "x"], r"one input for wave.*\['n', 3, 'h'"),
        ([("x", FLOAT, ["n", 80, "t"])], ["Relu", "x"], "one input for waveforms.*input='mel'"),
        ([("x", FLOAT, [2, "t"])], ["Relu", "x"], "with a free first axis"),
        ([("x", TensorProto.DOUBLE, ["n", "t"])], ["Cast", "x"], r"tensor\(double\)"),
        ([SOUND, ("z", FLOAT, ["n", "t"])], ["Add", "x", "z"], "found 'x'.*'z'.*further inputs"),
        ([SOUND], ["ReduceMax", "x"], r"output 'y' a row.*shape \(\)"),
        ([SOUND], ["Shape", "x"], "row of numbers.*int64"),
        ([SOUND], ["Log", "x"], "'y' is NaN or infinite. Check input, sample_rate and normalize"),
    ],
)
def test_refuses_networks(tmp_path, inputs, node, message):
    settings = {"ReduceMax": {"keepdims": 0}, "Cast": {"to": FLOAT}}
    kind = TensorProto.INT64 if node[0] == "Shape" else FLOAT
    made = helper.make_node(node[0], node[1:], ["y"], **settings.get(node[0], {}))
    path = save(tmp_path / "bad.onnx", inputs, [made], [("y", kind, None)])
    for action in (ONNXAudioBackbone(path).fit, ONNXAudioBackbone(path).transform):
        with pytest.raises(ValueError, match=r"(?s)bad\.onnx: .*" + message):
            action([clip(20)])


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"output": "hidden"}, "no output 'hidden'. Choose one of 'frames', 'maps', 'row'"),
        ({"output": "pictures"}, r"output 'pictures'.*float32 of shape \(1, 1, 5, 7999\)"),
        ({"output": "shape"}, "expected of output 'shape'.*int64"),
        ({"input": "mel"}, "one input for spectrograms.*'waveform' for one"),
        ({"input": "mfcc"}, "'input' parameter"),
        ({"chunk_duration": 0}, "'chunk_duration' parameter"),
        ({"model": Path("network.onnx")}, "'model' parameter"),
    ],
)
def test_refuses_parameters(network, parameters, message):
    with pytest.raises(ValueError, match=message):
        ONNXAudioBackbone(**{"model": network, **parameters}).fit([clip(20)])


def test_refuses_spectrograms_of_other_bands(tmp_path):
    for shape in (["n", "t", "m"], ["n", N_MELS, N_MELS], ["n", 1, "t", 80]):
        node = helper.make_node("Relu", ["x"], ["y"])
        path = save(tmp_path / "mel.onnx", [("x", FLOAT, shape)], [node], [("y", FLOAT, None)])
        message = r"mel\.onnx: cannot determine.*24 mel bands.*Set n_mels"
        with pytest.raises(ValueError, match=message):
            ONNXAudioBackbone(path, "mel", n_mels=N_MELS).fit([clip(2000)])


def test_refuses_files_that_are_no_network(tmp_path):
    (tmp_path / "page.onnx").write_text("<html>")
    with pytest.raises(ValueError, match=r"page\.onnx: expected a network.*Export or down"):
        ONNXAudioBackbone(str(tmp_path / "page.onnx")).transform([clip(20)])
    with pytest.raises(FileNotFoundError, match=r"nowhere\.onnx: no such ONNX file"):
        ONNXAudioBackbone(str(tmp_path / "nowhere.onnx")).transform([clip(20)])
