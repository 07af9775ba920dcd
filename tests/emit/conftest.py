"""The tests of this folder share modules of losses and functions that are made from a few lines of text."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
