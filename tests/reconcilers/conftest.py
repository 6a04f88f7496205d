"""Properties are checked without a stop watch: the machine may be busy, and a slow example is no wrong one."""

from hypothesis import settings

settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")
