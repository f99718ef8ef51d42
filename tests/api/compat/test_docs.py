"""The pages about hosted services' clients are what the tables say."""

from pathlib import Path

import pytest

from api.compat.dialects import DIALECTS
from api.compat.docs import compat_page, dialect_page
from api.resources.dialect import Dialect

PAGES = Path(__file__).parents[3] / "docs"


def test_the_page_is_up_to_date() -> None:
    """Run `python -m api.compat.docs > docs/compat.md`."""
    assert (PAGES / "compat.md").read_text(encoding="utf-8") == compat_page()


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_page_of_a_dialect_is_up_to_date(dialect: Dialect) -> None:
    """Run `python -m api.compat.docs revox > docs/compat-revox.md`, and so for each."""
    page = PAGES / f"compat-{dialect}.md"
    assert page.read_text(encoding="utf-8") == dialect_page(dialect)
