"""What a recipe imports to declare its rows: `Contract`, `Feature`, `Target`."""

from contracts.row_contract import Contract, Feature, Target

__all__ = ["Contract", "Feature", "Target"]
