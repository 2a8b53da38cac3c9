// A module map names headers beside itself only; this one leads to the system's.
#pragma once
#include <zlib.h>
