"""The tests of this folder share the form in which conventions are written down."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
