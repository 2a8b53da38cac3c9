"""All attacks: to import this fills the table."""

import attacks_frames  # noqa: F401
import attacks_slow  # noqa: F401
import attacks_topics  # noqa: F401
