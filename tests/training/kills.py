"""Kills the toy training again and again, and starts the same command again each time.

python -m tests.training.kills WORKDIR --kills=20 tells what each kill struck, and whether the run
ended with the bits of one that was left alone. It fails where too few of them struck a checkpoint
being written (a quarter), or a run between its steps (a half).
"""

import argparse
import itertools
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from liverjax.choices import Feed
from liverjax.training.log import read_metrics
from tests.conftest import ROOT, optimized
from tests.training.toy_run import POINTS

FIELDS = ("optimizer.ema_decay=0.9", "tumor_share=0.5")


def start(workdir, fields):
    command = [sys.executable, "-m", "tests.training.toy_run", str(workdir), *fields]
    return subprocess.Popen(
        command,
        cwd=ROOT,
        env=optimized(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
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
        What was struck, see `struck`; None where the run ended before.
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
    return struck(workdir / "checkpoints", told) if process.returncode else None


def struck(checkpoints, told):
    """What a kill met, by what the run told last and what lies on disk, not by what was meant.

    Returns:
        "write of N: ..." where the checkpoint of step N was begun and is not sealed, "step N" where
        that step was the last thing done, "sealed N" where its checkpoint was.
    """
    word, step = [line for line in told if not line.startswith("held")][-1].split()
    if word == "step":
        return f"step {step}"
    folder = checkpoints / step
    if (folder / "contents.json").exists():
        return f"sealed {step}"
    if (folder / ".contents.json").exists():
        return f"write of {step}: its seal lies under a temporary name"
    if folder.exists():
        return f"write of {step}: it has its name and no seal"
    begun = next(checkpoints.glob(f"{step}.orbax-checkpoint-tmp"), None)
    if begun is None:
        return f"nothing of {step} yet"
    items = sum(not path.name.endswith("-tmp") for path in begun.iterdir() if path.is_dir())
    return f"write of {step}: it lies under a temporary name, {items} of 6 items complete"


def kill_repeatedly(workdir, fields, kills, seed=0):
    """Kills by turns after a step and while a checkpoint is written; tells what each one struck.

    None gets beyond the second epoch of its start, so a run of `kills` + 1 epochs outlasts them.
    """
    draw = random.Random(seed)
    points = itertools.islice(itertools.cycle(POINTS), seed % len(POINTS), None)
    met = []
    for number in range(kills):
        if number % 5 in (1, 3):
            # The second write of a start finds a complete checkpoint before it.
            held = (*fields, f"hold={next(points)},{draw.choice((1, 2))}")
            met.append(kill(workdir, held, "held", 1, draw.uniform(0, 0.05)))
        else:
            # Epochs have four steps: after these there is another one to be done.
            count = draw.choice((1, 2, 3, 5, 6, 7))
            met.append(kill(workdir, fields, "step", count, draw.uniform(0, 0.01)))
        if met[-1] is None:
            return met[:-1]
    return met


def count(met):
    """How many kills struck a write, and how many a step."""
    return tuple(sum(line.startswith(f"{kind} ") for line in met) for kind in ("write", "step"))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("workdir", type=Path)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--feed", type=Feed, default=Feed.STREAM)
    given = parser.parse_args()
    fields = (*FIELDS, f"feed={given.feed.value}", f"epochs={given.kills + 2}")
    alone = finish(given.workdir / "alone", fields)
    met = kill_repeatedly(given.workdir / "killed", fields, given.kills, given.seed)
    for number, line in enumerate(met, 1):
        print(f"{number:2} {line}")
    writes, steps = count(met)
    enough = len(met) == given.kills and writes >= given.kills // 4 and steps >= given.kills // 2
    print(f"{len(met)} kills: {writes} while a checkpoint was written, {steps} after a step")
    same = finish(given.workdir / "killed", fields) == alone
    print("equal to the bit" if same else "DIFFERENT", "" if enough else "but TOO FEW KILLS")
    sys.exit(not (same and enough))


if __name__ == "__main__":
    main()
