"""What the tests share: strict JAX settings, the real CT volumes and outside programs."""

import os
import shutil
from pathlib import Path

import jax
import matplotlib as mpl
import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[1]

mpl.use("Agg")
# A shape that only broadcasts by accident, or a key used twice, is an error.
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_debug_key_reuse", True)


@pytest.hookimpl(optionalhook=True)  # of xdist
def pytest_xdist_make_scheduler(config, log):
    """With several workers: a file goes to one, and all that build on the small run to the same."""
    from xdist.scheduler import LoadFileScheduling

    class Scheduling(LoadFileScheduling):
        """Deals out files, and those that share the small run as if they were one."""

        def _split_scope(self, nodeid):
            path = nodeid.partition("::")[0]
            return "small_run" if "small_run" in (ROOT / path).read_text() else path

    return Scheduling(config, log)


@pytest.fixture(scope="session", autouse=True)
def compilation_cache(tmp_path_factory):
    """What one test has compiled, others and the commands they start need not compile again."""
    folder = str(tmp_path_factory.mktemp("compilation-cache"))
    jax.config.update("jax_compilation_cache_dir", folder)
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
    os.environ["JAX_COMPILATION_CACHE_DIR"] = folder
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"


@pytest.fixture(scope="session", autouse=True)
def quick_compilation():
    """Programs that run for moments are compiled with the least effort, in commands as well.

    What is said of bits and of devices is said of programs as users run them: see `optimized`.
    """
    jax.config.update("jax_disable_most_optimizations", True)
    os.environ["JAX_DISABLE_MOST_OPTIMIZATIONS"] = "1"


@pytest.fixture(scope="session")
def shared_data():
    """The folder of real CT volumes beside the checkout; skips where there is none."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("no real CT volumes at ../shared/data")
    return folder


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture(scope="session")
def small_run(tmp_path_factory):
    """Workdir of a whole quickstart on few and coarse phantoms, for what builds on one."""
    from tests.small_run import run_quickstart

    workdir = tmp_path_factory.mktemp("quickstart")
    return workdir, run_quickstart(workdir)


@pytest.fixture(scope="session")
def untrained_runs(tmp_path_factory):
    """Workdirs of two untrained networks, for what ships them; left as they are."""
    from tests.inference.bundles import write_runs

    return write_runs(tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="session")
def shipped(untrained_runs, tmp_path_factory):
    """The bundle of `untrained_runs`, as version 1.2; left as it is."""
    from liverjax.workflows.ship import ship

    folder = tmp_path_factory.mktemp("shipped")
    ship(untrained_runs, folder, "1.2")
    return folder


def optimized(**more):
    """Environment of a command that compiles as it does for users."""
    usual = {k: v for k, v in os.environ.items() if k != "JAX_DISABLE_MOST_OPTIMIZATIONS"}
    return usual | more


def require_program(name):
    """Path of an outside program; skips where it is missing, but fails under CI."""
    found = shutil.which(name)
    if found is None:
        reason = f"the program {name} is not installed"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return found
