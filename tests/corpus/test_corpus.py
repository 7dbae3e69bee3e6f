"""Every input of the corpus gives the error that it should, or what it holds."""

import json
import re
import subprocess
import sys

import pytest

from tests.conftest import ROOT
from tests.corpus.run import all_cases

CASES = all_cases()
MOST_SECONDS, MOST_MB, MOST_SECONDS_IN_ALL = 10, 2048, 600


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    """What became of each case, by its name; all run once, in a process of their own."""
    results = tmp_path_factory.mktemp("corpus") / "results.json"
    command = [sys.executable, "-W", "error", "-m", "tests.corpus.run", str(results)]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=MOST_SECONDS_IN_ALL
    )
    found = json.loads(results.read_text()) if results.exists() else {}
    assert done.returncode == 0, f"ended at {list(found)[-1:]}: {done.stderr[-2000:]}"
    return found


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_case(outcomes, case):
    found = outcomes[case.name]
    assert found["error"] == (case.error and case.error.__name__), found.get("trace")
    assert found["wrong"] is None
    if case.error:
        assert re.search(case.message, found["message"], re.DOTALL), found["message"]
        assert case.field in found["message"]
        assert len(found["message"]) < 2000
    assert not found["written"]
    assert found["seconds"] < MOST_SECONDS


def test_memory_stays_small(outcomes):
    """Of the process that ran all cases, and of its decoder, at its highest."""
    assert max(found["peak_mb"] for found in outcomes.values()) < MOST_MB


def test_the_corpus_is_large_and_varied():
    names = [case.name for case in CASES]
    assert len(set(names)) == len(names) >= 150
    pairs = {(case.field, case.error) for case in CASES if case.error}
    assert len(pairs) >= 40
    assert sum(case.error is None for case in CASES) >= 20
