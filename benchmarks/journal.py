"""What was measured, line by line in a file as it comes: an interrupted run loses nothing, and may go on."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

__all__ = ["Journal"]


class Journal:
    """Values by key, both as JSON has them; kept in memory alone where there is no path.

    With ``resumed``, what an interrupted run of the same settings has left is taken over.
    """

    def __init__(self, path: Path | None = None, settings: Any = None, *, resumed: bool = False) -> None:
        self.path = path
        self._kept: dict[str, Any] = {}
        if path is None:
            return
        if resumed and path.exists():
            self._kept = read(path, settings)
        path.write_text("".join(f"{line(key, value)}\n" for key, value in self._kept.items()), encoding="utf-8")
        self.keep("settings", settings)

    def __contains__(self, key: str) -> bool:
        return key in self._kept

    def __getitem__(self, key: str) -> Any:
        return self._kept[key]

    def keep(self, key: str, value: Any) -> None:
        self._kept[key] = value
        if self.path is not None:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(f"{line(key, value)}\n")

    def measured(self, key: str, measure: Callable[[], Any]) -> Any:
        """What is kept under the key, measured where nothing is."""
        if key not in self._kept:
            self.keep(key, measure())
        return self._kept[key]

    def under(self, prefix: str) -> dict[str, Any]:
        """What is kept under keys with this beginning, by the rest of them."""
        return {key.removeprefix(prefix): value for key, value in self._kept.items() if key.startswith(prefix)}

    def remove(self) -> None:
        if self.path is not None:
            self.path.unlink(missing_ok=True)


def line(key: str, value: Any) -> str:
    return json.dumps([key, value])


def read(path: Path, settings: Any) -> dict[str, Any]:
    """The lines of a file that were written whole, if they were measured under these settings."""
    found: dict[str, Any] = {}
    for text in path.read_text(encoding="utf-8").splitlines():
        try:
            key, value = json.loads(text)
        except ValueError:
            break  # the run ended within a line
        found[key] = value
    if found.get("settings") != json.loads(json.dumps(settings)):
        print(f"{path.name} was measured otherwise: all is measured anew")
        return {}
    return found
