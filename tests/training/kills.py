"""Kills the toy training again and again, and starts the same command again each time.

python -m tests.training.kills WORKDIR --kills=20 tells when each kill struck, and whether the run
ended with the bits of one that was left alone.
"""

import argparse
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from liverjax.training.log import read_metrics
from tests.conftest import ROOT

FIELDS = ("epochs=16", "feed=stream", "optimizer.ema_decay=0.9", "tumor_share=0.5")


def start(workdir, fields):
    command = [sys.executable, "-m", "tests.training.toy_run", str(workdir), *fields]
    return subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def finish(workdir, fields):
    """Runs to the end; gives back the digest of the restored state, and the figures logged."""
    process = start(workdir, fields)
    told, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors[-2000:]
    records = [{k: v for k, v in r.items() if k != "seconds"} for r in read_metrics(workdir)]
    return told.split()[-1], records


def kill(workdir, fields, kind, count, delay):
    """Kills a run `delay` seconds after the `count`-th line of a kind.

    Returns:
        The last that it told: "writing N" where the checkpoint of step N was open, "step N" or
        "written N" where none was; None where the run ended before.
    """
    process = start(workdir, fields)
    told = []
    with process.stdout, process.stderr:
        for line in process.stdout:
            told.append(line.strip())
            if sum(line.startswith(kind) for line in told) == count:
                time.sleep(delay)
                process.send_signal(signal.SIGKILL)
                break
        told += process.stdout.read().splitlines()
        errors = process.stderr.read()
        process.wait()
    assert process.returncode in (0, -signal.SIGKILL), errors[-2000:]
    return told[-1] if process.returncode else None


def kill_repeatedly(workdir, fields, kills, seed=0):
    """Kills by turns while a checkpoint is written and after a step; tells what each one met."""
    draw = random.Random(seed)
    struck = []
    for number in range(kills):
        if number % 2:
            # A write takes about this long; the second of a run has a complete one before it.
            last = kill(workdir, fields, "writing", draw.choice((1, 2)), draw.uniform(0, 0.15))
        else:
            last = kill(workdir, fields, "step", draw.randint(1, 6), draw.uniform(0, 0.01))
        if last is None:
            break
        struck.append(last)
    return struck


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("workdir", type=Path)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    alone = finish(given.workdir / "alone", FIELDS)
    struck = kill_repeatedly(given.workdir / "killed", FIELDS, given.kills, given.seed)
    print("\n".join(struck))
    open_writes = sum(line.startswith("writing") for line in struck)
    print(f"{len(struck)} kills, {open_writes} while a checkpoint was written")
    same = finish(given.workdir / "killed", FIELDS) == alone
    print("equal to the bit" if same else "DIFFERENT")
    sys.exit(not same)


if __name__ == "__main__":
    main()
