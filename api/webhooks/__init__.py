"""Events on their way to whoever asked for them: signed, sent, tried again."""
