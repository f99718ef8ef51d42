"""Numbers and traces for an operator's own collectors: what happened is counted as it happens."""
