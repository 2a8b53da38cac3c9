// A disk that fails, is full or slow when somebody says so, for the one program that this is preloaded into: the calls with
// which Apus and SQLite write files. What to do is in a file that is shared with the test. Built by failing_disk.py.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <dlfcn.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

// As failing_disk.py has it.
struct rule {
    atomic_int error;    // errno of the calls that fail
    atomic_int after;    // how many calls go well before that
    atomic_int times;    // how many calls fail then; -1 for all
    atomic_int most;     // bytes that one write takes; 0 for all
    atomic_int delay;    // milliseconds that each call takes longer
    atomic_int held;     // calls wait until this is 0
    atomic_int calls;    // how many there were
    atomic_int waiting;  // how many wait now
};
enum file { SEGMENT, CATALOG, FILES };
enum call { WRITE, SYNC, ALLOCATE, CALLS };

static struct rule (*rules)[CALLS];

__attribute__((constructor)) static void start(void) {
    const char *path = getenv("FAILING_DISK");
    int file = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (file < 0) return;
    void *shared = mmap(NULL, sizeof(struct rule) * FILES * CALLS, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    if (shared != MAP_FAILED) rules = shared;
}

// The rule for a call on a file, if there is one.
static struct rule *rule(int descriptor, enum call call) {
    char link[64], path[4096];
    if (!rules) return NULL;
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 4) return NULL;
    path[length] = 0;
    if (strcmp(path + length - 4, ".seg") == 0) return &rules[SEGMENT][call];
    return strstr(path, "/catalog.sqlite") ? &rules[CATALOG][call] : NULL;
}

// Waits as long as it is told to. The errno that the call has to fail with, or 0.
static int fate(struct rule *rule) {
    if (!rule) return 0;
    atomic_fetch_add(&rule->calls, 1);
    atomic_fetch_add(&rule->waiting, 1);
    if (rule->delay > 0) usleep(1000 * (useconds_t)rule->delay);
    while (rule->held) usleep(1000);
    atomic_fetch_sub(&rule->waiting, 1);
    if (rule->after > 0) {
        atomic_fetch_sub(&rule->after, 1);
        return 0;
    }
    if (rule->times > 0) atomic_fetch_sub(&rule->times, 1);
    else if (rule->times == 0) return 0;
    return rule->error;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define FAIL(code) do { errno = (code); return -1; } while (0)

ssize_t pwritev(int descriptor, const struct iovec *parts, int count, off_t place) {
    struct rule *told = rule(descriptor, WRITE);
    int code = fate(told);
    if (code) FAIL(code);
    if (!told || told->most <= 0 || count == 0) return REAL(pwritev)(descriptor, parts, count, place);
    // Only the beginning, within the first part.
    size_t most = (size_t)told->most;
    return REAL(pwrite)(descriptor, parts[0].iov_base, parts[0].iov_len < most ? parts[0].iov_len : most, place);
}

static ssize_t write_at(int descriptor, const void *bytes, size_t count, off_t place) {
    int code = fate(rule(descriptor, WRITE));
    if (code) FAIL(code);
    return REAL(pwrite)(descriptor, bytes, count, place);
}

ssize_t pwrite(int descriptor, const void *bytes, size_t count, off_t place) {
    return write_at(descriptor, bytes, count, place);
}

ssize_t pwrite64(int descriptor, const void *bytes, size_t count, off_t place) {
    return write_at(descriptor, bytes, count, place);
}

int fdatasync(int descriptor) {
    int code = fate(rule(descriptor, SYNC));
    if (code) FAIL(code);
    return REAL(fdatasync)(descriptor);
}

int fsync(int descriptor) {
    int code = fate(rule(descriptor, SYNC));
    if (code) FAIL(code);
    return REAL(fsync)(descriptor);
}

int posix_fallocate(int descriptor, off_t place, off_t size) {
    int code = fate(rule(descriptor, ALLOCATE));
    return code ? code : REAL(posix_fallocate)(descriptor, place, size);
}
