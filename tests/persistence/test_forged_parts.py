"""Descriptions of parts that no saved model has, whatever skops would make of them."""

import io
import json
import struct
import zipfile

import numpy as np
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from skemotion import load_model, read_model_info, save_model
from skemotion.decomposition import MultiRocket, TrajectoryResampler
from skemotion.persistence._parts import nodes

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


def masked(data):
    mask = array("mask.npy")
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


def test_parts_of_one_number_are_equal(path):
    """The first of them would be taken for all the others, wherever they stand."""
    first = many("List", array("a.npy")) | {"__id__": -1}
    other = many("List", value(1)) | {"__id__": -1}
    plant(path, many("List", first, first), a=np.zeros(2))
    one, same = load_model(path).intercept_
    assert one is same
    plant(path, many("List", first, other), a=np.zeros(2))
    refused(path, "two parts of one number")
    plant(path, many("List", first, {"__id__": -1}), a=np.zeros(2))
    refused(path, "__module__")
    # Attributes are what an earlier part of the number is, whatever they look like.
    pairs = many("List", many("Tuple", value("a"), value(1))) | {"__id__": -2}
    plant(
        path, many("List", pairs, node(SCALER, "ObjectNode", content=value(None) | {"__id__": -2}))
    )
    refused(path, "two parts of one number")
    # Two that differ in an attribute which is called like a member, or have no number at all.
    one, two = (mapping({"file": value(given)}) | {"__id__": -3} for given in (1, 2))
    plant(path, many("List", one, two))
    refused(path, "two parts of one number")
    plant(
        path,
        many("List", array("a.npy") | {"__id__": 0}, array("schema.json") | {"__id__": 0}),
        a=np.zeros(2),
    )
    refused(path, "a member that is no array")
    # Equal, but where it may not be.
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


def test_memory_out_of_proportion_is_not_asked_for(path):
    dummy = DummyClassifier(strategy="uniform").fit(X, Y)
    dummy.n_classes_ = 10**9
    scaler = StandardScaler().fit(X)
    scaler.mean_ = np.zeros((1000, 1))
    points = TrajectoryResampler(n_points=10**9).fit([np.zeros((3, 2))])
    for model, cause in (
        (dummy, "of 1000000000 classes"),
        (scaler, "whose mean_ has 2 axes"),
        (points, "of n_points=1000000000"),
    ):
        save_model(model, path)
        refused(path, cause)


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
