"""The tests of this folder share modules whose loops are compiled together, the kinds of arrays that NumPy modules are
tested with, and random programs."""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "emit"), str(HERE.parent / "outside")]
