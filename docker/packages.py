"""The pinned packages of pyproject.toml, one a line: all but torch, or torch alone (`--torch`).

Web processes never load torch, so their image does not hold it; the workers' one has it in a layer of its own.
"""

import sys
import tomllib
from pathlib import Path

project = tomllib.loads(Path("pyproject.toml").read_text())["project"]
wants_torch = "--torch" in sys.argv[1:]
for package in project["dependencies"]:
    if package.startswith("torch==") == wants_torch:
        print(package)
