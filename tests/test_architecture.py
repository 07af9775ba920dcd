"""The page about the rooms names every room."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def test_the_architecture_page_names_every_room() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    rooms = [path.name for path in (ROOT / "gradgen").glob("*.py") if not path.name.startswith("__")]
    assert len(rooms) > 50
    assert [room for room in rooms if f"`{room}`" not in page] == []
