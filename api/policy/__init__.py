"""When to dial: zones of numbers, retry policies, calling windows, and the decision itself.

Pure: facts and `now` go in, a decision comes out. Who asks, and what it costs, is not known here.
"""
