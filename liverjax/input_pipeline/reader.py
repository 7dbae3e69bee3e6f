"""Opens a prepared TFDS dataset, and reads what it knows of its patients and whole CTs of them."""

import hashlib
import json
import logging
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

# Before the import: TensorFlow greets at start-up and tells of operations that are not used here.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

import tensorflow as tf
import tensorflow_datasets as tfds

from liverjax.datasets.slices import PatientSummary, select_patients
from liverjax.errors import InputError
from liverjax.volume import Geometry, Segmentation, Volume

tf.config.set_visible_devices([], "GPU")  # TensorFlow only reads files; the memory is for JAX
# TFDS warns of a call that it makes itself.
logging.getLogger("absl").addFilter(lambda line: "FeatureConnector.dtype" not in str(line.msg))


def open_dataset(name: str, data_dir: Path) -> tfds.core.DatasetBuilder:
    """The newest prepared version of a dataset, for reading.

    Raises:
        InputError: nothing is prepared there; says how to build it.
    """
    versions = [
        (tfds.core.Version(path.parent.name), path.parent)
        for path in data_dir.glob(f"{name}/*/dataset_info.json")
        if tfds.core.Version.is_valid(path.parent.name)
    ]
    if not versions:
        raise InputError(
            f"{data_dir}: holds no prepared dataset {name}; build it with `python -m "
            f"experiments.build_dataset --dataset={name} --manual_dir=DIR --data_dir={data_dir}`"
        )
    return tfds.builder_from_directory(max(versions)[1])


def summaries(builder: tfds.core.DatasetBuilder) -> dict[str, PatientSummary]:
    """What the dataset knows of each of its patients, by name."""
    found = builder.info.metadata["patients"]
    return {name: PatientSummary(**found[name]) for name in sorted(found)}


def dataset_fingerprint(builder: tfds.core.DatasetBuilder) -> str:
    """SHA-256 in hex of name, version and the patients' fingerprints: equal for equal examples."""
    patients = {name: summary.fingerprint for name, summary in summaries(builder).items()}
    text = json.dumps([builder.name, str(builder.version), patients], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def read_volume(builder: tfds.core.DatasetBuilder, patient: str) -> tuple[Volume, Segmentation]:
    """One patient's split, put together again.

    Of a voxel size that is not known, the spacing is 0; it comes back as not known.

    Raises:
        SplitError: the dataset does not hold the patient.
        InputError: the slices read are not the patient's, in order.
    """
    summary = select(builder, [patient])[patient]
    slices = [*builder.as_dataset(split=patient, read_config=read_config()).as_numpy_iterator()]
    found = [(s["patient"].decode(), int(s["slice_index"])) for s in slices]
    if found != [(patient, index) for index in range(summary.slices)]:
        raise InputError(
            f"{builder.name}: the slices of {patient} are not complete and in order; rebuild it"
        )
    x, y, z = _decimals(slices[0]["position"])
    dz, dy, dx = _decimals(slices[0]["spacing"])
    geometry = Geometry.from_axes((x, y, z), (dz, dy, dx) if dz else None)
    volume = Volume(np.stack([s["image"][..., 0] for s in slices]), geometry)
    return volume, Segmentation(np.stack([s["label"][..., 0] for s in slices]), geometry)


def contents(builder: tfds.core.DatasetBuilder, patients: Sequence[str]) -> dict[str, np.ndarray]:
    """What the slices of each patient show, uint8 [D, BYTES]; no pixel is read.

    See `datasets.content`.

    Raises:
        SplitError: a patient is named twice, or the dataset does not hold it.
        InputError: the dataset was prepared before slices were described, or the slices read are
            not the patients', in order.
    """
    if not patients:
        return {}
    selected = select(builder, patients)
    if "content" not in builder.info.features:
        raise InputError(
            f"{builder.name}: version {builder.version} does not tell what its slices show, as "
            "later ones do; build it anew with `python -m experiments.build_dataset`"
        )
    expected = [(name, index) for name, each in selected.items() for index in range(each.slices)]
    read = builder.as_dataset(
        split="+".join(patients),
        decoders=tfds.decode.PartialDecoding({"patient", "slice_index", "content"}),
        read_config=read_config(),
    )
    # One more than there should be, so that a surplus is found too.
    slices = next(read.batch(len(expected) + 1).take(1).as_numpy_iterator())
    names = [name.decode() for name in slices["patient"]]
    if [*zip(names, slices["slice_index"].tolist(), strict=True)] != expected:
        raise InputError(
            f"{builder.name}: the slices of {', '.join(patients)} are not complete and in order; "
            "rebuild it"
        )
    ends = np.cumsum([summary.slices for summary in selected.values()])
    return dict(zip(selected, np.split(slices["content"], ends[:-1]), strict=True))


def select(builder: tfds.core.DatasetBuilder, patients: Sequence[str]) -> dict[str, PatientSummary]:
    """The summaries of `patients`; see `datasets.slices.select_patients`."""
    return select_patients(builder.name, summaries(builder), patients)


def _decimals(values: np.ndarray) -> list[float]:
    """float32 numbers as the shortest decimals that they stand for: 1.6, not 1.600000024."""
    return [float(str(value)) for value in values]


def read_config() -> tfds.ReadConfig:
    """Reads files one after the other, in order, and keeps nothing in memory between epochs."""
    options = tf.data.Options()
    options.deterministic = True
    return tfds.ReadConfig(options=options, interleave_cycle_length=1, try_autocache=False)
