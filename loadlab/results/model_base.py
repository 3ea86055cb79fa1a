"""The base of all result models, and the number that may be missing."""

from __future__ import annotations

import math
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict


class Model(BaseModel):
    """A frozen part of a result; unknown fields, NaN and infinity are refused."""

    # Numbers that are not numbers would come back from JSON as null and make the file unreadable.
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def _none_for_nan(value: object) -> object:
    """NaN is how NumPy says "no sample"; a result says None."""
    return None if isinstance(value, float) and math.isnan(value) else value


Measured = Annotated[float | None, BeforeValidator(_none_for_nan)]
"""A figure that the sample may not support: None then."""
