"""What came of a CSV file, as the API tells it."""

from pydantic import BaseModel, Field

from api.base.csv_files import MAX_LISTED


class WrongLine(BaseModel):
    """A line that was left out."""

    line: int = Field(description="1 for the first.", examples=[3])
    detail: str = Field(examples=["must be in E.164 form"])


class ImportObject(BaseModel):
    """What came of a file."""

    added: int = Field(description="Lines that were new.", examples=[120])
    known: int = Field(description="Lines that were not.", examples=[4])
    refused: int = Field(description="Wrong lines.", examples=[1])
    errors: list[WrongLine] = Field(description=f"The first {MAX_LISTED} of the wrong lines.")
