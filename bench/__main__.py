"""Run benchmarks, one process each: `python -m bench [--json] [turns] [originates] …`."""

import json
import subprocess
import sys

ALL = ("turns", "latency", "engines", "media", "originates", "ledger", "lists", "outbox")
#: These need the repository's tests.
MORE = ("conversation", "dialing")


def main(arguments: list[str]) -> int:
    """Run the named benchmarks, or all; the exit code is 0 when each one ran."""
    as_json = "--json" in arguments
    names = [one for one in arguments if one != "--json"]
    unknown = [name for name in names if name not in ALL + MORE]
    if unknown:
        sys.stderr.write(f"no benchmark {unknown[0]!r}; there are {', '.join(ALL + MORE)}\n")
        return 2
    failed, figures = False, {}
    for name in names or ALL:
        command = [sys.executable, "-m", f"bench.{name}"]
        if as_json:
            done = subprocess.run([*command, "--json"], stdout=subprocess.PIPE, check=False)
            figures[name] = json.loads(done.stdout) if done.returncode == 0 else None
        else:
            sys.stdout.write(f"\n== {name}\n")
            sys.stdout.flush()
            done = subprocess.run(command, check=False)
        failed = failed or done.returncode != 0
    if as_json:
        sys.stdout.write(json.dumps(figures, indent=2) + "\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
