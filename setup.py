"""Packaging of liverjax; configs/ and experiments/ are run from a checkout and not installed."""

from pathlib import Path

from setuptools import find_packages, setup

# TensorFlow reads the datasets and does no arithmetic, so its CPU build is enough; it also leaves
# the accelerator to JAX. Only x86-64 Linux and Windows have that build.
_CPU_BUILD = "platform_machine in 'x86_64 AMD64' and sys_platform != 'darwin'"
_NO_CPU_BUILD = "platform_machine not in 'x86_64 AMD64' or sys_platform == 'darwin'"

setup(
    name="liverjax",
    version="0.1.0",
    description="Liver and liver tumour segmentation in CT with JAX and Flax",
    long_description=Path(__file__).with_name("README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    # Of the code, and of the weights that come with it, owing to the data they were trained on.
    license="Apache-2.0 AND CC-BY-SA-4.0",
    license_files=["LICENSE", "liverjax/weights/LICENSE"],
    classifiers=[
        "Intended Audience :: Science/Research",
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Topic :: Scientific/Engineering :: Medical Science Apps.",
        "Typing :: Typed",
    ],
    python_requires=">=3.11",
    packages=find_packages(include=["liverjax", "liverjax.*"]),
    package_data={
        "": ["py.typed", "README.md", "TAGS.txt", "CITATIONS.bib"],
        "liverjax": ["weights/*", "weights/*/*"],
        "liverjax.reporting": ["assets/*", "report.schema.json"],
    },
    entry_points={
        "console_scripts": [
            "liverjax-predict=liverjax.commands.predict:run",
            "liverjax-score=liverjax.commands.score:run",
        ]
    },
    install_requires=[
        "absl-py>=2.1",
        "connected-components-3d>=3.22",
        "flax>=0.12",
        "h5py>=3.11",
        "highdicom>=0.26",
        "importlib_resources>=6.0",  # for tensorflow-datasets, which does not declare it
        "jax>=0.10",
        "matplotlib>=3.9",
        "ml_collections>=1.1",
        "nibabel>=5.3",
        "numpy>=2.0",
        "optax>=0.2.8",
        "orbax-checkpoint>=0.12,<0.13",
        "pillow>=10.3",
        "pydicom>=3.0",
        "python-gdcm>=3.0.24",  # for compressed DICOM; the faster plug-ins are under the GPL
        "scipy>=1.13",
        f"tensorflow>=2.20; {_NO_CPU_BUILD}",
        f"tensorflow-cpu>=2.20; {_CPU_BUILD}",
        "tensorflow-datasets>=4.9.9",
        "tensorboardX>=2.6.2",
        "tqdm>=4.66",
    ],
    extras_require={
        # What `experiments.benchmark` compares with.
        "bench": ["medpy>=0.5.2", "monai>=1.5", "SimpleITK>=2.4", "torch>=2.6"],
        # The `tfds` command itself imports both; `experiments.build_dataset` needs neither.
        "beam": ["apache-beam>=2.60", "mlcroissant>=1.0"],
        "notebook": ["jupyterlab>=4.2"],
        "test": [
            "dill>=0.3.8",  # for tensorflow_datasets.testing, which does not declare it
            "hypothesis>=6.100",
            "ipykernel>=6.29",
            "jsonschema>=4.21",
            "mypy>=2.0",
            "nbclient>=0.10",
            "nbformat>=5.10",
            "opencv-python-headless>=4.9",
            "playwright>=1.49",
            "pytest>=8.2",
            "pytest-xdist>=3.6",
            "ruff>=0.17,<0.18",
            "scipy-stubs>=1.13",
            "SimpleITK>=2.4",
            "types-tqdm>=4.66",
        ],
    },
)
