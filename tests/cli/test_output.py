import pytest

from lakeproof.cli.output import print_table


def test_a_cell_that_looks_like_markup_is_printed_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(["id", "title"], [["INC-1", "regex [/a] broke [red]x"]])
    assert "regex [/a] broke [red]x" in capsys.readouterr().out
