"""Descriptions of parts that no saved model has, whatever skops would make of them."""

import contextlib
import inspect
import io
import json
import struct
import zipfile
import zlib

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import StackingClassifier
from sklearn.feature_selection import SelectFromModel
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import FixedThresholdClassifier
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from skemotion import load_model, read_model_info, save_model
from skemotion.decomposition import MultiRocket, TrajectoryResampler
from skemotion.persistence._parts import nodes
from skemotion.pipeline import ClipPipeline
from skemotion.video import HOG3D, VideoLoader

X, Y = np.array([[0.0], [1.0], [2.0], [3.0]] * 5), np.array(["calm", "calm", "sad", "sad"] * 5)
SCALER = "sklearn.preprocessing._data.StandardScaler"


def node(name, loader, **content):
    module, _, name = name.rpartition(".")
    return {"__class__": name, "__module__": module, "__loader__": loader, **content}


def value(given):
    return node("builtins.str", "JsonNode", content=json.dumps(given), is_json=True)


def many(kind, *parts):
    return node(f"builtins.{kind.lower()}", f"{kind}Node", content=list(parts))


def mapping(content, name="builtins.dict", key="builtins.str"):
    keys = many("List", *(node(key, "TypeNode") for _ in content))
    return node(name, "DictNode", content=content, key_types=keys)


def attributes(content, name=SCALER):
    return node(name, "ObjectNode", content=mapping(content))


def array(file, name="numpy.ndarray"):
    return node(name, "NdArrayNode", type="numpy", file=file)


def cells(shape, *parts):
    shape = many("Tuple", *map(value, shape))
    return node("numpy.ndarray", "NdArrayNode", type="json", content=list(parts), shape=shape)


def called(name, *arguments):
    return node(name, "ConstructorFromReduceNode", content=many("Tuple", *arguments))


def masked(data, mask="mask.npy"):
    mask = array(mask)
    return node("numpy.ma.MaskedArray", "MaskedArrayNode", content={"data": data, "mask": mask})


# What NumPy takes for an array of the memory at an address.
MEMORY = {"__array_interface__": mapping({"data": many("Tuple", value(1), value(False))})}


def plant(path, part, **arrays):
    """Save a model, and put a part in place of one of its own."""
    save_model(LogisticRegression().fit(X, Y), path)
    with zipfile.ZipFile(path) as file:
        members = {name: file.read(name) for name in file.namelist()}
    schema = json.loads(members.pop("schema.json"))
    schema["content"]["content"]["intercept_"] = part
    used = {found["file"] for found in nodes(schema) if "file" in found}
    for name, content in arrays.items():
        file = io.BytesIO()
        np.save(file, content)
        members[f"{name}.npy"] = file.getvalue()
    members["schema.json"] = json.dumps(schema).encode()
    with zipfile.ZipFile(path, "w") as file:
        for name, content in members.items():
            if name in used or not name.endswith(".npy"):
                file.writestr(name, content)


def save_telling(path, change):
    """Save a model whose description of itself is changed."""
    save_model(LogisticRegression().fit(X, Y), path)
    with zipfile.ZipFile(path) as file:
        members = {name: file.read(name) for name in file.namelist()}
    members["about.json"] = json.dumps(change(json.loads(members["about.json"]))).encode()
    with zipfile.ZipFile(path, "w") as file:
        for name, content in members.items():
            file.writestr(name, content)


def refused(path, cause):
    with pytest.raises(ValueError, match=r"model\.skops: .*(altered|not trusted)") as caught:
        load_model(path)
    reason = str(caught.value) if caught.value.__cause__ is None else str(caught.value.__cause__)
    assert cause in reason


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.skops"


def test_what_is_planted_is_loaded_if_it_is_harmless(path):
    plant(path, many("List", array("a.npy"), cells((1,), value("x")), value(2.5)), a=np.arange(3.0))
    first, second, third = load_model(path).intercept_
    assert first.tolist() == [0, 1, 2]
    assert second.tolist() == ["x"]
    assert third == 2.5


@pytest.mark.parametrize(
    ("part", "cause"),
    [
        # Memory at any address, by what NumPy asks objects for.
        (attributes(MEMORY), "a part with __array_interface__"),
        (attributes({"a": mapping(MEMORY, "sklearn.utils._bunch.Bunch")}), "__array_interface__"),
        (
            node(SCALER, "ObjectNode", content=many("List", many("Tuple", value("a"), value(1)))),
            "a ListNode in place of a DictNode",
        ),
        (node(SCALER, "ObjectNode", content=value({"__array_interface__": {}})), "a JsonNode in"),
        (
            node(SCALER, "ObjectNode", content=mapping({}, "sklearn.utils._bunch.Bunch")),
            "attributes that are no dict",
        ),
        (attributes({"__deepcopy__": node(SCALER, "TypeNode")}), "a part with __deepcopy__"),
        # What is called while it is loaded.
        (called("numpy.clip", value(1), value(0), value(2)), "numpy.clip"),
        (called(SCALER), SCALER),
        (mapping({"1": value(1)}, key="numpy.negative"), "numpy.negative"),
        (
            node("builtins.dict", "DictNode", content={"1": value(1)},
                 key_types=many("List", node("numpy.negative", "FunctionNode"))),
            "a FunctionNode in place of a TypeNode",
        ),
        # What passes checks of values, and holds others.
        (masked(array("mask.npy")), "numpy.ma.MaskedArray"),
        (attributes({"a": mapping({"cv_results_": value(1), "b": masked(array("mask.npy"))})}),
         "numpy.ma.MaskedArray"),
        # More memory than the file has bytes.
        (array("number.npy", "numpy.bytes_"), "numpy.bytes_"),
        (array("mask.npy", "numpy.float64"), "an array in place of a number"),
        (cells((1, 1), array("mask.npy")), "numpy.ndarray"),
        (cells((1, 1), many("List", many("Tuple", array("mask.npy")))), "numpy.ndarray"),
        (cells((1, 1), attributes({})), SCALER),
        # More time than the file has bytes: numbers that collide.
        (many("Set", value(1)), "builtins.set"),
        (mapping({str(i): value(1) for i in range(1001)}, key="builtins.int"), "more keys that"),
        # Others.
        (node("builtins.slice", "SliceNode", content={"start": [0], "stop": 1, "step": 1}),
         "a slice of other than numbers"),
        (node("collections.defaultdict", "DefaultDictNode",
              content={"main": mapping({}), "default_factory": attributes({})}),
         "collections.defaultdict"),
    ],
)  # fmt: skip
def test_parts_of_other_forms_are_refused(path, part, cause):
    plant(path, part, mask=np.zeros(2, bool), number=np.array(3 * 10**8))
    refused(path, cause)


def numbered(part, number):
    return part | {"__id__": 10**6 + number}


PAIRS = many("List", many("Tuple", value("a"), value(1)))


def test_a_part_of_one_number_is_made_once(path):
    again = numbered(many("List", array("a.npy")), 1)
    plant(path, many("List", again, again), a=np.zeros(2))
    one, same = load_model(path).intercept_
    assert one is same


@pytest.mark.parametrize(
    "parts",
    [
        [numbered(PAIRS, 1), numbered(many("List", value(1)), 1)],
        [numbered(PAIRS, 1), node(SCALER, "ObjectNode", content=numbered(value(None), 1))],
        [numbered(mapping({"file": value(i)}), 1) for i in range(2)],
        # Their own parts would be known or not, by the order in which they are read.
        [
            cells((1,), numbered(many("List", numbered(value(1), 2)), 1))
            | {"shape": many("Tuple", numbered(many("List", numbered(value(1), 3)), 1))}
        ],
    ],
)
def test_parts_of_one_number_are_the_same(path, parts):
    """skops takes the first for all the others, wherever they stand."""
    plant(path, many("List", *parts))
    refused(path, "two parts of one number")


@pytest.mark.parametrize("number", [0, -1, 1.5, True, "1", 2**61])
def test_numbers_of_parts_are_those_that_are_saved(path, number):
    plant(path, value(1) | {"__id__": number})
    refused(path, "a part of another number than models have")


def test_what_only_refers_to_a_part_is_refused(path):
    plant(path, many("List", numbered(PAIRS, 1), {"__id__": 10**6 + 1}))
    refused(path, "__module__")
    # The same, but where it may not be.
    first = numbered(many("List", array("a.npy")), 1)
    plant(path, many("List", first, cells((1, 1), first)), a=np.zeros(2))
    refused(path, "numpy.ndarray")


def test_members_are_arrays_of_the_model(path):
    plant(path, array("schema.json"))
    refused(path, "a member that is no array")
    save_model(LogisticRegression().fit(X, Y), path)
    with zipfile.ZipFile(path, "a") as file:
        file.writestr("face_detector.tflite", b"a network of a stranger")
    refused(path, "a member that is no part of the model")


@pytest.mark.parametrize("packing", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_members_whose_size_lies_are_not_unpacked(path, packing):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("schema.json", b"0" * 10**6, packing)
        archive.writestr("about.json", "{}")
    content = bytearray(file.getvalue())
    for mark, after in ((b"PK\x01\x02", 24), (b"PK\x03\x04", 22)):
        at = content.index(mark) + after
        content[at : at + 4] = struct.pack("<I", 100)
    path.write_bytes(content)
    for read in (read_model_info, load_model):
        with pytest.raises(ValueError, match="altered") as caught:
            read(path)
        assert str(caught.value.__cause__) == "packed members"


def test_a_model_is_no_other_file_at_the_same_time(path):
    content = save_model(LogisticRegression().fit(X, Y), path).read_bytes()
    for before in (b"PK and a network", b"PK\x03\x04 and a network"):
        path.write_bytes(before + content)
        refused(path, "something before the first member")


def test_masked_kernels_are_refused():
    curves = [np.random.default_rng(row).normal(size=(20, 2)) for row in range(3)]
    model = MultiRocket(84, 20, random_state=0).fit(curves)
    kernels = model.kernels_[1]
    channels = np.ma.MaskedArray(np.full(len(kernels.channels), 10**9, np.int32), mask=True)
    model.kernels_ = [model.kernels_[0], kernels._replace(channels=channels)]
    with pytest.raises(ValueError, match="Expected kernels"):
        model.transform(curves)


def test_arrays_of_nothing_or_of_several_values_are_refused(path):
    results = mapping({"cv_results_": mapping({"a": masked(array("data.npy"))})})
    plant(path, results, data=np.zeros(2), mask=np.zeros(2, bool))
    assert load_model(path).intercept_["cv_results_"]["a"].shape == (2,)
    for data, mask, cause in (
        (np.zeros(0, [("a", "?", 10)]), np.zeros(2, bool), "an array of several values each"),
        (np.zeros(3), np.zeros(2, bool), "a mask of another size"),
        (np.zeros(2), np.zeros(2), "a mask of another size"),
        (np.zeros((0, 10**6)), np.zeros((0, 10**6), bool), "an array of nothing that is long"),
        (np.zeros(0, "U1000000"), np.zeros(0, bool), "an array of nothing that is long"),
    ):
        plant(path, results, data=data, mask=mask)
        refused(path, cause)


def test_members_that_hold_each_other_are_refused(path):
    """The directory may have one begin within another, with correct sums of both."""
    save_model(LogisticRegression().fit(X, Y), path)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("b.npy", b"b" * 10**5)
    inner = file.getvalue()[: 35 + 10**5]
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("a.npy", inner)
        info = archive.getinfo("a.npy")
        copy = zipfile.ZipInfo("b.npy")
        copy.header_offset, copy.CRC = info.header_offset + 35, zlib.crc32(b"b" * 10**5)
        copy.file_size = copy.compress_size = 10**5
        archive.filelist.append(copy)
        archive.NameToInfo["b.npy"] = copy
    with zipfile.ZipFile(path) as archive:
        assert sum(member.file_size for member in archive.infolist()) > path.stat().st_size
    refused(path, "members that are more than the file")


def changed(model, **attributes):
    for name, given in attributes.items():
        setattr(model, name, given)
    return model


def forged_models():
    """Give models that are saved as they are, and what is wrong with each."""
    stack = StackingClassifier([("a", LogisticRegression())]).fit(X, Y)
    tofile = changed(clone(stack).fit(X, Y), stack_method_=["tofile"])
    yield tofile, "members of which ['tofile'] is called"
    yield changed(stack, estimators_=[np.zeros(1, "S9")]), "members that are no estimators"
    yield FunctionTransformer(str).fit(X), "a type in place of a function"
    for words in ({"out": np.zeros(3)}, {"where": False}, {"casting": "unsafe"}):
        function = FunctionTransformer(np.negative, kw_args=words).fit(X)
        yield function, "a function that is told where to write"
    threshold = FixedThresholdClassifier(LogisticRegression()).fit(X, Y)
    yield changed(threshold, response_method="tofile"), "of which tofile is called"
    chosen = SelectFromModel(LogisticRegression()).fit(X, Y)
    yield changed(chosen, importance_getter=np.negative), "a selection that calls"
    for n_classes in (10**9, np.array([2])):
        dummy = DummyClassifier(strategy="uniform").fit(X, Y)
        yield changed(dummy, n_classes_=n_classes), "with other names of them"
    tree = DecisionTreeClassifier().fit(X, Y)
    yield changed(tree, tree_=LogisticRegression()), "a DecisionTreeClassifier without a tree"
    yield changed(StandardScaler().fit(X), mean_=np.zeros((1000, 1))), "whose mean_ has 2 axes"
    for n_points in (10**9, np.int64(10**9)):
        points = TrajectoryResampler(n_points=n_points).fit([np.zeros((3, 2))])
        yield points, "of n_points=1000000000"
    yield ClipPipeline([("load", VideoLoader(size=(10**7, 2)))]), "of size=10000000"


@pytest.mark.parametrize(("model", "cause"), [pytest.param(*pair) for pair in forged_models()])
def test_calls_and_memory_that_a_file_chooses_are_refused(path, model, cause):
    save_model(model, path)
    refused(path, cause)


def test_numbers_of_numpy_become_pythons(path):
    """Those of small types overflow: n_bins + 1 would be 0, and histograms of any memory."""
    cells = tuple(np.uint8([5, 5, 6]))
    model = ClipPipeline([("hog3d", HOG3D(cell_size=cells, n_bins=np.uint8(255)))], flatten=True)
    frames = np.random.default_rng(0).integers(0, 255, (1, 6, 12, 14), dtype=np.uint8)
    assert model.fit_transform(frames).shape == (1, 2 * 2 * 255 * 2)
    [(_, hog)] = load_model(save_model(model, path)).steps
    assert [type(number) for number in (hog.n_bins, *hog.cell_size)] == [int] * 4


def test_functions_whose_signature_was_looked_at_load(path):
    model = FunctionTransformer(np.log1p).fit(X)
    save_model(model, path)
    with contextlib.suppress(ValueError):  # NumPy keeps it from 2.4 on, in the function
        inspect.signature(np.log1p)
    np.testing.assert_array_equal(load_model(path).transform(X), np.log1p(X))


@pytest.mark.parametrize(
    "change",
    [
        {"training": None}, {"training": []}, {"uses_speaker_clips": None}, {"versions": {"a": 1}},
    ],
)  # fmt: skip
def test_what_a_model_says_of_itself_has_its_form(path, change):
    save_telling(path, lambda about: about | change)
    with pytest.raises(ValueError, match="altered"):
        read_model_info(path)


def test_versions_are_shown_as_text_of_one_line(path):
    numpy = {"numpy": "\x1b]0;title\x07\n" + "9" * 1000}
    save_telling(path, lambda about: about | {"versions": about["versions"] | numpy})
    with pytest.warns(UserWarning, match="saved with other versions") as caught:
        load_model(path)
    message = str(caught[0].message)
    assert message.isprintable()
    assert len(message) < 500
