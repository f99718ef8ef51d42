"""Run every benchmark, one process each: `python -m bench [turns] [engines] …`."""

import subprocess
import sys

ALL = ("turns", "engines", "conversation", "media")


def main(names: list[str]) -> int:
    """Run the named benchmarks, or all; the exit code is 0 when each one ran."""
    unknown = [name for name in names if name not in ALL]
    if unknown:
        sys.stderr.write(f"no benchmark {unknown[0]!r}; there are {', '.join(ALL)}\n")
        return 2
    failed = 0
    for name in names or ALL:
        sys.stdout.write(f"\n== {name}\n")
        sys.stdout.flush()
        failed += subprocess.run([sys.executable, "-m", f"bench.{name}"], check=False).returncode
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
