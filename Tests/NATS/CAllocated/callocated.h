// mallinfo2(3), which Swift's Glibc module leaves out.
#pragma once

#include <malloc.h>

// The bytes that malloc(3) has handed out.
static inline long callocated_bytes(void) { return (long)mallinfo2().uordblks; }
