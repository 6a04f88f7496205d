"""When to look again."""

from datetime import timedelta
from typing import Final

SOON: Final = timedelta(seconds=5)  # Creating and Updating last seconds
AGAIN: Final = timedelta(seconds=30)  # what passes by itself, and nobody knows when
LATER: Final = timedelta(minutes=5)  # a state that only somebody else can end
