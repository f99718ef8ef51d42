"""Our turn-taking and that of other frameworks, on the same audio: `python -m bench.peers --help`.

The other frameworks are no dependency: each is driven by a script here, run by the Python of an
environment that the user made. What such a script imports of ours (`exchange`, `simulated_time`)
needs only the standard library and numpy.
"""
