"""The report of a backtest: Markdown, HTML and JSON."""
