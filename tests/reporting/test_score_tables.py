from dataclasses import replace
from html.parser import HTMLParser
from urllib.parse import unquote

from liverjax.evaluation.aggregate import aggregate
from liverjax.reporting.document import score_document
from liverjax.reporting.html import html_report
from liverjax.reporting.markdown import markdown_report
from liverjax.reporting.score_tables import mean_table, score_tables, short_table
from liverjax.reporting.table import plain_text
from tests.evaluation.cases import some_cases


def summary(seen=()):
    return aggregate(some_cases(), seen, resamples=100)


def cells(table, start):
    (row,) = (row for row in table.rows if row[0] == start)
    return row


def test_cases_and_then_their_means_with_counts():
    found = summary()
    liver, tumor, _, overall, lesions, burden, key = score_tables(some_cases(), found)
    assert [row[0] for row in tumor.rows[: tumor.body]] == ["a", "b", "c", "d"]
    assert cells(tumor, "c")[1:4] == ("-", "-", "-")
    assert cells(tumor, "mean")[1] == f"{found['tumor']['dice']['mean']:.3f}"
    low, high = found["tumor"]["dice"]["interval"]
    assert cells(tumor, "95 % interval")[1] == f"{low:.3f} to {high:.3f}"
    assert cells(tumor, "over cases")[1] == "2 of 4"
    assert cells(liver, "over cases")[1] == "4"
    assert cells(overall, "of them nothing predicted")[1:] == ("0", "4", "1", "2")
    assert cells(overall, "Dice, all cases (both empty 1, one empty 0)")[4] == "4"
    assert cells(lesions, "lesions of the reference")[1:] == ("3", "3")
    assert cells(lesions, "lesions missed (FN)")[1:] == ("2", "2")
    assert cells(lesions, "precision")[1].endswith(", 1 of 3")
    assert cells(lesions, "F1")[1].endswith(", 2 of 6")
    assert cells(burden, "tumour-free cases with false positives")[1:] == ("1", "-", "2")
    low, high = found["tumor_burden"]["rmse_interval"]
    assert cells(burden, "tumour burden, RMSE")[2] == f"{low:.4f} to {high:.4f}"
    assert key.rows[0][0] == "Dice"
    assert {len(row) for row in tumor.rows} == {len(tumor.header)}


def test_plain_text_is_aligned():
    table = mean_table(summary())
    lines = plain_text(table).splitlines()
    assert len(lines) == 1 + len(table.rows)
    assert lines[1].split() == [
        *("Dice", *table.rows[0][1].split(), *table.rows[0][2].split(), "4"),
        *(*table.rows[0][4].split(), *table.rows[0][5].split(), "2", "of", "4"),
    ]
    # The last column ends where its heading does.
    assert len(lines[0]) == len(lines[1])


def test_the_short_table_has_means_over_the_cases_that_are_defined():
    table = plain_text(short_table(some_cases())).splitlines()
    assert table[1].split() == ["a", "0.990", "0.667", "0.01"]
    assert table[3].split() == ["c", "1.000", "-", "0.00"]
    assert table[-2].split()[0] == "mean"
    assert table[-2].split()[2:] == ["0.333", "0.01"]
    assert table[-1].split() == ["over", "cases", "4", "2", "4"]
    none = plain_text(short_table(some_cases()[2:3])).splitlines()
    assert none[-2].split() == ["mean", "1.000", "-", "0.00"]


def test_markdown_has_a_table_that_names_cannot_break():
    cases = [replace(case, case=f"|<b>{case.case}*") for case in some_cases()]
    text = markdown_report(score_document(cases, aggregate(cases, resamples=10)))
    table = text.split("\n## ")[1].splitlines()[2:]
    widths = {line.replace(r"\|", "").count("|") for line in table if line}
    assert widths == {11}
    assert r"\|\<b\>a\*" in text
    assert "held-out" not in text


def test_figures_that_are_not_held_out_are_said_to_be_so():
    for seen, expected in (((), False), (("d", "a<i>"), True)):
        found = summary(seen)
        document = score_document(some_cases(), found)
        for text in (markdown_report(document), html_report(document, [], [])):
            assert ("These are not held-out figures" in text) == expected
            assert ("selected on d." in text) == expected
            assert ("d (seen)" in text) == expected


class Page(HTMLParser):
    """Collects what a page shows and refers to."""

    def __init__(self):
        super().__init__()
        self.links, self.tags, self.shown = [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.links += [value for name, value in attrs if name in ("href", "src")]

    def handle_data(self, data):
        self.shown.append(data)


def test_html_escapes_names_and_asks_the_network_for_nothing():
    name = '<script>alert("1")</script> & # 50%'
    cases = [replace(case, case=name + case.case) for case in some_cases()]
    found = aggregate(cases, [name + "a"], resamples=10)
    figures = [(f"figures/panels_{name}.png", f"Slices of {name}")]
    page = Page()
    page.feed(html_report(score_document(cases, found), figures, ["per_case.csv"]))
    assert "script" not in page.tags
    assert f"{name}a (seen)" in page.shown
    assert [unquote(link) for link in page.links] == ["per_case.csv", figures[0][0]]
    assert not any(":" in link or "#" in link or "?" in link for link in page.links)
    assert any(text.startswith("These are not held-out") for text in page.shown)
