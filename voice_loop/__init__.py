"""The conversation on an answered line: audio frames in, audio frames out.

Knows no PBX, no HTTP, no disk and no engine; `ports` names what it needs of them.
"""
