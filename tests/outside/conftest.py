"""The tests of this folder share what JAX says of our words."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
