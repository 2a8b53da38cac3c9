"""All attacks: to import this fills the table."""

import attacks_access  # noqa: F401
import attacks_frames  # noqa: F401
import attacks_http  # noqa: F401
import attacks_slow  # noqa: F401
import attacks_sockets  # noqa: F401
import attacks_tls  # noqa: F401
import attacks_topics  # noqa: F401
