"""Where a data set's files are found: in a folder of the reader's, in the cache, or on the network.

A new data set takes a list of `File`s, one call of `fetch`, and a function that reads the folder which it returns.
"""

from __future__ import annotations

import gzip
import os
import tempfile
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from textwrap import shorten
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pooch
from platformdirs import user_cache_path

from ..progress import progress_bar

TIMEOUT = 20
"""How many seconds a connection may be silent before the next address is tried."""


class File(NamedTuple):
    """One file of a data set.

    Attributes:
        path: where it lies in a folder of data sets, with "/".
        sha256: its checksum.
        urls: where it can be downloaded; they are tried one after the other.  What comes from an address in `.gz`
            is unpacked, and the checksum is that of the file as it lies in the folder.
    """

    path: str
    sha256: str
    urls: tuple[str, ...]


def fetch(name: str, files: Sequence[File], *, stand_in: str | None = None) -> tuple[Path, str] | None:
    """Return a folder that holds verified copies of all files, and in words which folder that is.

    They are looked for in `$AECOURSE_DATA`, then in the cache folder, and are else downloaded into the cache folder:
    all of them or none, and none has its name there before it is whole.  A damaged copy is passed over, with a warning.
    `$AECOURSE_DATA` may begin with ~, and may be the folder in which the files themselves lie, instead of the one in
    which they have their paths; packed ones, in `.gz`, are unpacked into the cache folder.

    Args:
        name: what the messages call the data set.
        files: all that it needs.
        stand_in: what a reader gets where there are neither files nor a network.  Then a warning says so, and the
            value is None; without `stand_in` this is an error.

    Raises:
        RuntimeError: if a file is damaged (named in the message) and no good copy can be downloaded, or
            if there are neither files nor a network and nothing stands in.
    """
    cache = user_cache_path("aecourse")
    places = [(cache, "the cache folder")]
    if os.environ.get("AECOURSE_DATA"):
        places.insert(0, (Path(os.environ["AECOURSE_DATA"]).expanduser(), "the folder in $AECOURSE_DATA"))

    # The warnings point to the caller of the function that calls this one, such as `data.load`.
    damaged: list[str] = []
    passed_over = f"damaged or missing files of {name} were passed over: "
    for folder, origin in [(root, origin) for place, origin in places for root in _roots(place, files)]:
        if not any(os.path.exists(folder / file.path) for file in files):
            packed = [(folder / f"{file.path}.gz", file) for file in files]
            if folder != cache and all(os.path.exists(path) for path, _ in packed):
                try:
                    _into(cache, lambda place, packed=packed: [_unpack(*each, place) for each in packed])
                except Exception as error:  # a damaged file, or a cache that can't be written
                    damaged += [f"{folder / packed[0][1].path}.gz and its like ({error})"]
                else:
                    return cache, f"{origin}, unpacked into the cache folder"
            continue
        bad = [str(folder / file.path) for file in files if not _is_good(folder / file.path, file.sha256)]
        if not bad:
            if damaged:
                warnings.warn(f"{passed_over}{', '.join(damaged)}; you get the good copy in {origin}", stacklevel=3)
            return folder, origin
        damaged += bad

    try:
        hosts = _download(files, cache)
    except Exception as error:  # whatever the network, the hosts or the disk make pooch raise
        if damaged:
            raise RuntimeError(
                f"damaged or missing files of {name}: {', '.join(damaged)}; no good copy could be downloaded "
                f"({error}). Delete them, or put good ones in their place"
            ) from error
        searched = " or ".join(f"{origin} ({folder.resolve()}{_fault(folder)})" for folder, origin in places)
        failure = f"found no files of {name} in {searched}, and they could not be downloaded"
        advice = f"set AECOURSE_DATA to a folder that holds {', '.join(file.path for file in files)}"
        if stand_in is None:
            raise RuntimeError(f"{failure} ({error}). Connect to the network, or {advice}") from error
        why = shorten(str(error), 400, placeholder=" …")
        warnings.warn(
            f"{failure}, so you get {stand_in} instead. Everything runs; the numbers differ from the text. "
            f"For {name}, connect to the network or {advice}. What went wrong: {why}",
            stacklevel=3,
        )
        return None
    if damaged:
        warnings.warn(f"{passed_over}{', '.join(damaged)}; a good copy was downloaded", stacklevel=3)
    return cache, f"downloaded from {' and '.join(hosts)}"


def _roots(folder: Path, files: Sequence[File]) -> list[Path]:
    """Return where the files may have their paths: in the folder, or above it if it is a part of these paths."""
    parts, whole = Path(files[0].path).parts[:-1], folder.resolve()  # "." has no parts
    above = [whole.parents[k - 1] for k in range(1, len(parts) + 1) if whole.parts[-k:] == parts[:k]]
    return [folder, *above]


def _fault(folder: Path) -> str:
    """Return in words why nothing can be found in a folder, if that is so."""
    if not folder.exists():
        return ", which does not exist"
    if not folder.is_dir():
        return ", which is no folder"
    return "" if os.access(folder, os.R_OK | os.X_OK) else ", which may not be read"


def _unpack(path: Path, file: File, folder: str) -> None:
    """Write the content of a file in `.gz` to its place in a folder, if it is the right one."""
    target = Path(folder) / file.path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(gzip.decompress(path.read_bytes()))
    if not _is_good(target, file.sha256):
        raise ValueError(f"wrong checksum of {path}")


def _is_good(path: Path, sha256: str) -> bool:
    try:
        return pooch.file_hash(str(path)) == sha256
    except OSError:  # there is none, it may not be read, or it is a folder
        return False


def _into(cache: Path, make: Callable[[str], list[Any]]) -> list[Any]:
    """Return what `make(folder)` does, after everything that it puts into the folder was moved into the cache."""
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as folder:
        made = make(folder)
        for part in filter(Path.is_file, sorted(Path(folder).rglob("*"))):
            target = cache / part.relative_to(folder)
            target.parent.mkdir(parents=True, exist_ok=True)
            part.chmod(0o644)  # pooch's files are for their owner alone, and a class may share a folder
            os.replace(part, target)
    return made


def _download(files: Sequence[File], cache: Path) -> list[str]:
    """Put verified copies into the cache, all or none, and return the hosts that sent them."""
    logger = pooch.get_logger()  # it tells of each download on stderr, which a notebook would store
    level = logger.level
    logger.setLevel("WARNING")
    try:
        return sorted(set(_into(cache, lambda folder: [_retrieve(file, folder) for file in files])))
    finally:
        logger.setLevel(level)


def _retrieve(file: File, folder: str) -> str:
    """Download a verified copy into the folder, from the first address that has one, and return the host."""
    said = []
    for url in file.urls:
        try:
            pooch.retrieve(url, file.sha256, file.path, folder, downloader=_download_unpacked)
        except Exception as error:  # a mirror can fail in any way: that is what the others are for
            said.append(f"{url}: {str(error).strip() or type(error).__name__}")
        else:
            return urlsplit(url).netloc
    raise RuntimeError("; ".join(said))


def _download_unpacked(url: str, target: str, _: object) -> None:
    """Download for pooch, which then verifies what was unpacked: one checksum for a file, wherever it was found."""
    with progress_bar(1, "B") as bar:  # pooch corrects the total, once it knows it
        bar.unit_scale = True
        pooch.HTTPDownloader(timeout=TIMEOUT, progressbar=bar, chunk_size=2**16)(url, target, None)
    path = Path(target)
    if url.endswith(".gz") and path.read_bytes()[:2] == b"\x1f\x8b":  # some hosts and proxies unpack on their way
        path.write_bytes(gzip.decompress(path.read_bytes()))
