import pytest

from lakeproof.cli.output import print_table


def test_a_cell_that_looks_like_markup_is_printed_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(["id", "title"], [["INC-1", "regex [/a] broke [red]x"]])
    assert "regex [/a] broke [red]x" in capsys.readouterr().out


def test_columns_stand_below_each_other_and_no_line_is_cut(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(["Name", "What"], [["đèn", "x" * 300], [None, "two\nlines"], ["漢字", ""]])
    assert capsys.readouterr().out.splitlines() == [
        "Name  What",
        f"đèn   {'x' * 300}",
        "      two",
        "      lines",
        "漢字",
    ]
