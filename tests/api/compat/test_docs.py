"""The page about hosted services' clients is what the tables say."""

from pathlib import Path

from api.compat.docs import compat_page

PAGE = Path(__file__).parents[3] / "docs" / "compat.md"


def test_the_page_is_up_to_date() -> None:
    """Run `python -m api.compat.docs > docs/compat.md`."""
    assert PAGE.read_text(encoding="utf-8") == compat_page()
