"""Champion against challenger: an A/B test, or a shadow, that may be looked at on any day.

`units` reads the journal, `adjustment` and `sequences` are the statistics, `comparison` measures,
`decision` judges, `bulletin` tells. Imports of ours: `model.contract`, `checks.rules`.
"""
