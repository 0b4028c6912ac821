"""Where the tests find the targets, which the fuzzer runs without pytest."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
