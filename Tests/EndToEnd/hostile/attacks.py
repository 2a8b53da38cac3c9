"""All attacks: to import this fills the table."""

import attacks_slow  # noqa: F401
