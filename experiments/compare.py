"""Compares two methods on the same cases: a paired test of every figure of their tables.

python -m experiments.compare --first=A/per_case.csv --second=B/per_case.csv
"""

from absl import flags

from liverjax.commands import app
from liverjax.evaluation.compare import compare
from liverjax.evaluation.tables import read_per_case
from liverjax.io.atomic import make_folder, write_json
from liverjax.reporting.comparison import format_comparison

_FIRST = flags.DEFINE_string("first", None, "per_case.csv of one method.", required=True)
_SECOND = flags.DEFINE_string("second", None, "per_case.csv of the other.", required=True)
_COLUMNS = flags.DEFINE_list("columns", [], "What to compare; by default every figure.")
_OUTPUT = flags.DEFINE_string("output", None, "JSON file for the result.")


def main() -> None:
    paths = (app.path(_FIRST), app.path(_SECOND))
    first, second = map(read_per_case, paths)
    entries = compare(first, second, _COLUMNS.value, (str(paths[0]), str(paths[1])))
    if _OUTPUT.value:
        output = app.path(_OUTPUT)
        make_folder(output.parent)
        write_json(output, {"first": str(paths[0]), "second": str(paths[1]), "columns": entries})
    print(format_comparison(entries))
    for path, table in zip(paths, (first, second), strict=True):
        if table.seen:
            print(f"not held out in {path}, seen by its networks: {', '.join(table.seen)}")
    passed_over = sorted({*first.columns} ^ {*second.columns})
    if passed_over and not _COLUMNS.value:
        print(f"in one of the tables only, and not compared: {', '.join(passed_over)}")


if __name__ == "__main__":
    app.run(main)
