"""An evaluation as what is to be said and shown, before it is decided how it is written."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from liverjax.evaluation.case import CaseScore
from liverjax.reporting.provenance import network_table, source_notes
from liverjax.reporting.score_notes import score_notes, seen_notice
from liverjax.reporting.score_tables import score_tables
from liverjax.reporting.table import Table
from liverjax.wording import counted


class Document(NamedTuple):
    """What a report says.

    Attributes:
        title: its heading.
        notice: a warning to be read first, where there is one.
        notes: sentences that explain the tables.
        tables: in their order.
    """

    title: str
    notice: str | None
    notes: Sequence[str]
    tables: Sequence[Table]


def score_document(
    cases: Sequence[CaseScore],
    summary: dict[str, Any],
    sources: Sequence[Mapping[str, Any]] = (),
) -> Document:
    """The report of an evaluation.

    Args:
        cases: those scored.
        summary: their aggregate, see `liverjax.evaluation.aggregate.aggregate`.
        sources: how they came about, see `liverjax.workflows.sources.describe_source`.
    """
    networks = network_table(sources)
    return Document(
        title=f"Evaluation of {counted(len(cases), 'case')}",
        notice=seen_notice(summary["seen"]),
        notes=[*score_notes(cases, summary), *source_notes(sources)],
        tables=[*score_tables(cases, summary), *([networks] if networks else [])],
    )
