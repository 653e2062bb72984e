"""Change the address of the project's repository in every file that names it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def current_url() -> str:
    """Return the address in `_config.yml`, the one place that decides."""
    return re.search(r"^repository:\n\s+url:\s*(\S+)", (ROOT / "_config.yml").read_text("utf-8"), re.MULTILINE)[1]


def main(new: str) -> None:
    """Replace the current address by `new` in all files that git tracks or would track."""
    if not re.fullmatch(r"https://[\w.-]+/[\w.-]+/[\w.-]+", new):
        sys.exit(f"got the address {new!r}, expected one like https://github.com/owner/name: make repo-url URL=…")
    new = new.removesuffix(".git")
    old = current_url()
    # Not where a longer name continues, so that moving twice is safe.
    pattern = re.compile(re.escape(old) + r"(?![\w-])")
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    for name in filter(None, listed.split("\0")):
        path = ROOT / name
        try:
            text = path.read_bytes().decode("utf-8")
        except (UnicodeDecodeError, FileNotFoundError):
            continue
        if pattern.search(text):
            path.write_bytes(pattern.sub(new, text).encode("utf-8"))
            print(name)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "")
