"""Where the test bed's Asterisk comes from: an installed one, else a private tree.

Debian 12 and 13 do not package Asterisk; forky (testing) does. On a Debian machine apt can fetch
those packages into directories of its own and dpkg can unpack them, both as a plain user; the
tree is then started through its own loader and C library, so that nothing of the system changes.
"""

import fcntl
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

Say = Callable[[str], None]

_PACKAGES = ("asterisk", "asterisk-core-sounds-en-wav")
_SUITE = "forky"
_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_LEAST_VERSION = 20
_ADMINISTRATORS_PATH: tuple[str, ...] = ("/usr/sbin", "/usr/local/sbin")


class TestBedError(Exception):
    """The test bed cannot be brought up; the message says why and how to mend it."""

    __test__ = False


@dataclass(frozen=True)
class Installation:
    """An Asterisk that can be started."""

    command: tuple[str, ...]
    """Program and leading arguments."""
    version: str
    directories: tuple[tuple[str, Path], ...] = ()
    """What `asterisk.conf` must say of it (`astmoddir`, …); empty for an installed one."""


def provide(say: Say) -> Installation:
    """An installed Asterisk ≥ 20, or the private tree, made now if need be (about 15 s).

    Raises TestBedError.
    """
    found = _installed()
    if found is not None:
        return found
    tree = cache_directory() / f"asterisk-{_SUITE}-{_architecture()}"
    tree.parent.mkdir(parents=True, exist_ok=True)
    with _locked(tree.parent / "asterisk.lock"):
        if not tree.is_dir():
            _make_tree(tree, say)
    return _from_tree(tree)


def cache_directory() -> Path:
    """Offhook's folder in the user's cache (XDG Base Directory Specification)."""
    base = os.environ.get("XDG_CACHE_HOME") or ""
    return (Path(base) if base.startswith("/") else Path.home() / ".cache") / "offhook"


def _installed() -> Installation | None:
    path = os.pathsep.join((os.environ.get("PATH", ""), *_ADMINISTRATORS_PATH))
    program = shutil.which("asterisk", path=path)
    if program is None:
        return None
    version = _version((program,))
    major = re.match(r"\D*(\d+)", version)
    if major is None or int(major[1]) < _LEAST_VERSION:
        return None
    return Installation((program,), version)


def _version(command: Sequence[str]) -> str:
    return _run([*command, "-V"], "ask Asterisk for its version").strip()


def _from_tree(tree: Path) -> Installation:
    modules = list((tree / "usr/lib").glob("*/asterisk/modules"))
    loaders = [*(tree / "usr/lib64").glob("ld-linux*"), *(tree / "usr/lib").glob("ld-linux*")]
    if not modules or not loaders:
        raise TestBedError(f"{tree} holds no complete Asterisk: remove it and try again")
    library, loader = modules[0].parents[1], loaders[0]
    command = (str(loader), "--library-path", str(library), str(tree / "usr/sbin/asterisk"))
    return Installation(
        command,
        _version(command),
        (
            ("astmoddir", library / "asterisk/modules"),
            ("astvarlibdir", tree / "usr/share/asterisk"),
            ("astdatadir", tree / "usr/share/asterisk"),
            ("astagidir", tree / "usr/share/asterisk/agi-bin"),
        ),
    )


def _make_tree(tree: Path, say: Say) -> None:
    """Fetch and unpack beside the final place, then rename: a broken one is never used."""
    for tool in ("apt-get", "dpkg"):
        if shutil.which(tool) is None:
            raise TestBedError(
                f"the test bed needs an Asterisk ≥ {_LEAST_VERSION}, and this machine has neither "
                f"one nor {tool} to fetch it with: install Asterisk, or use docker/compose.yaml"
            )
    work = tree.with_name(tree.name + ".partial")
    shutil.rmtree(work, ignore_errors=True)
    environment = {**os.environ, "APT_CONFIG": str(_write_apt_configuration(work))}
    say(f"Asterisk for the test bed: asking {_mirror()} for Debian {_SUITE}'s packages")
    _run(["apt-get", "-qq", "update"], "read Debian's package list", environment)
    _download(environment, say)
    archives = sorted((work / "cache/archives").glob("*.deb"))
    if not archives:
        raise TestBedError("apt-get downloaded no package of Asterisk: see its configuration")
    for done, archive in enumerate(archives):
        if done % 40 == 0:
            say(f"Asterisk for the test bed: unpacking {done}/{len(archives)}")
        _run(["dpkg", "-x", str(archive), str(work / "tree")], f"unpack {archive.name}")
    sounds = work / "tree/usr/share/asterisk/sounds"
    (sounds / "en").unlink(missing_ok=True)
    (sounds / "en").symlink_to("en_US_f_Allison")
    _from_tree(work / "tree")  # starts it once: proves that the loader and libraries fit
    (work / "tree").rename(tree)
    shutil.rmtree(work, ignore_errors=True)
    say(f"Asterisk for the test bed: ready in {tree}")


def _write_apt_configuration(work: Path) -> Path:
    for folder in ("state/lists/partial", "cache/archives/partial", "tree"):
        (work / folder).mkdir(parents=True)
    (work / "status").touch()
    signed = f"[signed-by={_KEYRING}] " if _KEYRING.exists() else ""
    (work / "sources.list").write_text(f"deb {signed}{_mirror()} {_SUITE} main\n")
    configuration = work / "apt.conf"
    configuration.write_text(
        f'Dir::State "{work}/state";\n'
        f'Dir::State::status "{work}/status";\n'
        f'Dir::Cache "{work}/cache";\n'
        f'Dir::Etc::sourcelist "{work}/sources.list";\n'
        'Dir::Etc::sourceparts "-";\n'
        'APT::Sandbox::User "";\n'
        'APT::Install-Recommends "0";\n'
        'Acquire::Languages "none";\n'
        'Acquire::Retries "3";\n'
    )
    return configuration


def _download(environment: dict[str, str], say: Say) -> None:
    command = ["apt-get", "-qq", "-o", "APT::Status-Fd=1", "install", "--yes", "--download-only"]
    with subprocess.Popen(
        [*command, *_PACKAGES],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        assert process.stdout is not None
        told = -1
        last: list[str] = []
        for line in process.stdout:
            progress = re.match(r"dlstatus:\d+:([0-9.]+):", line)
            if progress is None:
                last = [*last, line.strip()][-5:]
            elif int(float(progress[1])) // 20 > told:
                told = int(float(progress[1])) // 20
                say(f"Asterisk for the test bed: downloading about 95 MB, {told * 20} %")
    if process.returncode != 0:
        raise TestBedError(f"apt-get could not download Asterisk: {' '.join(last)}")


def _mirror() -> str:
    """The Debian mirror that this machine's own apt sources name. Raises TestBedError."""
    configuration = Path("/etc/apt")
    files = [
        configuration / "sources.list",
        *sorted((configuration / "sources.list.d").glob("*.sources")),
        *sorted((configuration / "sources.list.d").glob("*.list")),
    ]
    for file in files:
        try:
            text = file.read_text()
        except OSError:
            continue
        for line in text.splitlines():
            entry = re.match(r"(?:deb\s+(?:\[[^]]*\]\s+)?|URIs:\s*)(\S+/debian/?)(?:\s|$)", line)
            if entry is not None:
                return entry[1]
    raise TestBedError(
        "this machine's apt sources name no Debian mirror: install Asterisk 20 or newer yourself, "
        "and the test bed will use it"
    )


def _architecture() -> str:
    if shutil.which("dpkg") is None:
        return os.uname().machine
    return _run(["dpkg", "--print-architecture"], "ask dpkg for the architecture").strip()


def _run(command: Sequence[str], purpose: str, environment: dict[str, str] | None = None) -> str:
    try:
        done = subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=600,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise TestBedError(f"could not {purpose}: {error}") from error
    if done.returncode != 0:
        raise TestBedError(f"could not {purpose}: {done.stdout.strip()[-500:]}")
    return done.stdout


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """One process at a time makes the tree; the others wait and find it made."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
