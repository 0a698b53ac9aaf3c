"""The row as a Pydantic model, as in the documentation of FastAPI and BentoML."""

from pydantic import BaseModel


class Row(BaseModel):
    """A flight of the default recipe."""

    carrier: str | None
    origin: str | None
    dest: str | None
    minute: float
    weekday: float
    distance: float
    temp: float | None = None
    humid: float | None = None
    wind: float | None = None
    precip: float | None = None
    pressure: float | None = None
    visib: float | None = None
