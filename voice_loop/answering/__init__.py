"""Who answered: a person, a voicemail, a menu, a screener, a queue, an announcement, a fax.

Sans-IO: frames with speech verdicts and running transcripts go in, verdicts with their evidence
come out, again and again until somebody converses (`watch`). What is heard as tone is in `tones`,
what machines say in `phrases`, a data file per language.
"""
