// Sets the wall clock by two hours, forward and back by turns, or once and for all, for the one program that it is preloaded
// into. How much time has passed is told as ever, and who waits until a time of that clock waits by it. Built by
// stepped_clock.py.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

// In seconds: where the wall clock stands, one after the other.
static const long places[] = {0, 7200, 0, -7200};
static long interval;
// In seconds: by how much it is ahead all the time.
static long shift;

__attribute__((constructor)) static void start(void) {
    const char *text = getenv("CLOCK_STEP_MS"), *ahead = getenv("CLOCK_AHEAD_S");
    interval = text ? atol(text) : 0;
    shift = ahead ? atol(ahead) : 0;
}

static long lead(void) {
    struct timespec passed;
    syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &passed);
    long milliseconds = passed.tv_sec * 1000 + passed.tv_nsec / 1000000;
    return shift + (interval > 0 ? places[milliseconds / interval % 4] : 0);
}

int clock_gettime(clockid_t clock, struct timespec *result) {
    int failed = (int)syscall(SYS_clock_gettime, clock, result);
    if (!failed && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE || clock == CLOCK_TAI))
        result->tv_sec += lead();
    return failed;
}

int gettimeofday(struct timeval *restrict result, void *restrict zone) {
    int failed = (int)syscall(SYS_gettimeofday, result, zone);
    if (!failed) result->tv_sec += lead();
    return failed;
}

time_t time(time_t *result) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (result) *result = now.tv_sec;
    return now.tv_sec;
}

int timespec_get(struct timespec *result, int base) {
    return base == TIME_UTC && clock_gettime(CLOCK_REALTIME, result) == 0 ? base : 0;
}

// A time on the wall clock, as the kernel has it. The steady clock's are much smaller.
static struct timespec kernels(const struct timespec *end) {
    struct timespec result = *end;
    if (result.tv_sec > 1000000000) result.tv_sec -= lead();
    return result;
}

int pthread_cond_timedwait(pthread_cond_t *restrict condition, pthread_mutex_t *restrict mutex,
                           const struct timespec *restrict end) {
    static int (*real)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *);
    if (!real) *(void **)&real = dlsym(RTLD_NEXT, "pthread_cond_timedwait");
    struct timespec moved = kernels(end);
    return real(condition, mutex, &moved);
}
