"""Champion against challenger: an A/B test, or a shadow, that may be looked at on any day.

`book` reads the journal a day at a time, `texts` says which keys and ids are equal, `units` makes units
of the rows, `tally` sums them, and `history` keeps the sums. `adjustment` and `sequences` are the statistics, `comparison` measures,
`decision` judges, `bulletin` tells. Imports of ours: `contracts.row_contract`, `contracts.thresholds`.
"""
