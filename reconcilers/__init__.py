"""What the operator decides. Pure: no async, no I/O, no clock, no logging, no environment; `now` is an argument."""
