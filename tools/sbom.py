"""Writes a bill of materials, as CycloneDX 1.6, of the environment that this runs in: python tools/sbom.py FILE."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def main() -> None:
    """Lets cyclonedx-bom, of the extra `dev`, look at the installed packages."""
    (target,) = sys.argv[1:]
    how = ["--spec-version", "1.6", "--output-format", "JSON", "--output-reproducible"]
    words = ["environment", "--pyproject", str(ROOT / "pyproject.toml"), *how, "--output-file", target]
    sys.exit(subprocess.run([sys.executable, "-m", "cyclonedx_py", *words], check=False).returncode)


if __name__ == "__main__":
    main()
