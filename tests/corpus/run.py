"""Runs the corpus in a process of its own: python -m tests.corpus.run RESULTS [PART OF A NAME].

What a case does to a process, such as to end it or to fill its memory, is then seen from outside.
"""

import contextlib
import json
import resource
import sys
import tempfile
import time
import traceback
import warnings
from pathlib import Path

from liverjax.io.dicom import decoder
from tests.corpus import archives, checkpoints, nifti, series


def all_cases():
    with _unwarned():
        return [case for part in (series, archives, nifti, checkpoints) for case in part.cases()]


@contextlib.contextmanager
def _unwarned():
    """Libraries warn of the bad input that is made with them; of reading it they may not."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def contents(folder):
    """Path, size and time of change of everything below a folder."""
    return {
        str(path.relative_to(folder)): (path.lstat().st_size, path.lstat().st_mtime_ns)
        for path in folder.rglob("*")
    }


def peak_mb(whose=resource.RUSAGE_SELF):
    return resource.getrusage(whose).ru_maxrss // 1024


def run(case, folder):
    """What became of a case, ready for JSON."""
    with _unwarned():
        path = case.make(folder)
    before = contents(folder)
    outcome = {"error": None, "message": "", "wrong": None}
    start = time.perf_counter()
    try:
        result = case.read(path)
    except Exception as error:
        outcome |= {"error": type(error).__name__, "message": str(error)}
        outcome["trace"] = traceback.format_exc()
    else:
        try:
            case.check(result)
        except Exception as error:
            outcome["wrong"] = f"{type(error).__name__}: {error}"
    outcome["seconds"] = time.perf_counter() - start
    outcome["written"] = contents(folder) != before
    outcome["peak_mb"] = peak_mb()
    return outcome


def main(results, part=""):
    outcomes = {}
    for case in all_cases():
        if part in case.name:
            # Written before each: the last name is that of the case that ended the process.
            outcomes[case.name] = {"error": "process ended"}
            Path(results).write_text(json.dumps(outcomes))
            with tempfile.TemporaryDirectory() as folder:
                outcomes[case.name] = run(case, Path(folder))
    decoder._CHILD.stop()  # and so is counted among the children
    outcomes["decoder"] = {"peak_mb": peak_mb(resource.RUSAGE_CHILDREN)}
    Path(results).write_text(json.dumps(outcomes))


if __name__ == "__main__":
    main(*sys.argv[1:])
