"""Which order is dialled when, and who is rung in upon."""
