"""How often campaigns and laws try: from one place, GLOCAL_TRIES. Import it as `from tries import tries`."""

import os


def tries(usual: int) -> int:
    """GLOCAL_TRIES, where it is set; otherwise the usual number."""
    return int(os.environ.get("GLOCAL_TRIES", usual))
