// CRC-32C (Castagnoli), as RFC 3720 appendix B.4 has it, with the processor's instruction where it has one.
#pragma once

#include <stddef.h>
#include <stdint.h>

// The checksum of bytes that follow others with the checksum `crc`; 0 for the first ones.
uint32_t crc32c(uint32_t crc, const void *bytes, size_t count);
// The same without the instruction, for tests.
uint32_t crc32c_portable(uint32_t crc, const void *bytes, size_t count);
