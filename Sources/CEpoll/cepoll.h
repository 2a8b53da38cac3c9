// What Swift's Glibc module leaves out of the C library: epoll(7), eventfd(2), malloc_trim(3), mallopt(3), the accept4(2) and
// sync_file_range(2) of GNU's feature set; and clocks and mallinfo2(3) without their structures, as several modules claim to define the one, and the other has
// the function's name.
#pragma once

#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/types.h>
#include <time.h>

struct sockaddr;

static inline int cepoll_accept4(int listener, void *address, unsigned *size, int flags) {
    extern int accept4(int, struct sockaddr *, unsigned *, int);
    return accept4(listener, address, size, flags);
}

// Has a part of a file begin to go to the disk, and waits for nothing.
static inline void cepoll_begin_sync(int file, long place, long count) {
    extern int sync_file_range(int, off_t, off_t, unsigned);
    sync_file_range(file, place, count, 2 /* SYNC_FILE_RANGE_WRITE */);
}

// What a clock says, in milliseconds.
static inline long long cepoll_milliseconds(clockid_t clock) {
    struct timespec time;
    clock_gettime(clock, &time);
    return time.tv_sec * 1000LL + time.tv_nsec / 1000000;
}

// The same in nanoseconds.
static inline long long cepoll_nanoseconds(clockid_t clock) {
    struct timespec time;
    clock_gettime(clock, &time);
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}

// The bytes that malloc(3) has handed out; SIZE_MAX where the C library cannot tell (before glibc 2.33).
static inline size_t cepoll_allocated_bytes(void) {
#if __GLIBC_PREREQ(2, 33)
    struct mallinfo2 counts = mallinfo2();
    return counts.uordblks + counts.hblkhd;
#else
    return SIZE_MAX;
#endif
}

// How much of what is free at the end of an arena stays there.
enum { CEPOLL_KEEP_ENDS = 64 << 20, CEPOLL_RELEASE_ENDS = 0 };

// malloc_trim(3) leaves the end of every arena as it is, but that of the main one. free(3) returns it, once it is larger than
// M_TRIM_THRESHOLD: glibc raises that to 64 MiB as large blocks come and go, unless it is set. It stops to raise the least
// size of mapped blocks, too, when either is set: so that gets the value to which it would grow.
static inline void cepoll_set_ends(int bytes) {
    mallopt(M_MMAP_THRESHOLD, 32 << 20);
    mallopt(M_TRIM_THRESHOLD, bytes);
}

// Has free(3) look at the end of the arena of this thread: for that, it wants a block of 64 KiB.
static inline void cepoll_look_at_end(void) {
    void *volatile block = malloc(128 << 10);
    free(block);
}
