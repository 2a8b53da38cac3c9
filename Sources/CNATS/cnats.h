// The C client of NATS, Debian's libnats-dev. Only the package trait NATS uses it.
#pragma once

#include <nats/nats.h>
