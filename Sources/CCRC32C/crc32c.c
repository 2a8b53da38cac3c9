#include "crc32c.h"

#include <string.h>

static const uint32_t polynomial = 0x82F63B78; // reversed, RFC 3720 section 12.1

uint32_t crc32c_portable(uint32_t crc, const void *bytes, size_t count) {
    const uint8_t *next = bytes;
    crc = ~crc;
    while (count--) {
        crc ^= *next++;
        for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (polynomial & -(crc & 1));
    }
    return ~crc;
}

#if defined(__x86_64__)
#include <nmmintrin.h>
#define TARGET __attribute__((target("sse4.2")))
#define HAS_INSTRUCTION __builtin_cpu_supports("sse4.2")
#define EIGHT(crc, word) (uint32_t) _mm_crc32_u64(crc, word)
#define ONE(crc, byte) _mm_crc32_u8(crc, byte)
#elif defined(__aarch64__) && defined(__ARM_FEATURE_CRC32)
#include <arm_acle.h>
#define TARGET
#define HAS_INSTRUCTION 1
#define EIGHT(crc, word) __crc32cd(crc, word)
#define ONE(crc, byte) __crc32cb(crc, byte)
#endif

#ifdef HAS_INSTRUCTION
TARGET static uint32_t with_instruction(uint32_t crc, const void *bytes, size_t count) {
    const uint8_t *next = bytes;
    crc = ~crc;
    for (; count >= 8; count -= 8, next += 8) {
        uint64_t word;
        memcpy(&word, next, 8);
        crc = EIGHT(crc, word);
    }
    while (count--) crc = ONE(crc, *next++);
    return ~crc;
}
#endif

uint32_t crc32c(uint32_t crc, const void *bytes, size_t count) {
#ifdef HAS_INSTRUCTION
    if (HAS_INSTRUCTION) return with_instruction(crc, bytes, count);
#endif
    return crc32c_portable(crc, bytes, count);
}
