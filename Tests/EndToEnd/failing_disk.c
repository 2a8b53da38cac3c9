// A disk that fails, is full or slow when somebody says so, for the one program that this is preloaded into: the calls with
// which Apus and SQLite write files. What to do is in a file that is shared with the test. Built by failing_disk.py.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
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

enum { RENAMES = 16 };

// When the program is killed: at which of the calls that change a file or a folder, whichever it is.
struct end {
    atomic_int at;     // 0 for never
    atomic_int calls;  // how many there were
    atomic_int renames[RENAMES];  // which of them were the first renames
};
static struct end *end;

__attribute__((constructor)) static void start(void) {
    const char *path = getenv("FAILING_DISK");
    int file = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (file < 0) return;
    size_t size = sizeof(struct rule) * FILES * CALLS;
    void *shared = mmap(NULL, size + sizeof(struct end), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    if (shared == MAP_FAILED) return;
    rules = shared;
    end = (void *)((char *)shared + size);
}

static void die(void) { kill(getpid(), SIGKILL); }

// The number of this call; 0 if nobody counts.
static int count(void) { return end ? atomic_fetch_add(&end->calls, 1) + 1 : 0; }

// Whether the program is killed at this call.
static int is_last(void) {
    int number = count();
    return number && number == end->at;
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
    if (is_last()) {
        // Half of it is in the file then.
        if (count > 0) REAL(pwrite)(descriptor, parts[0].iov_base, parts[0].iov_len / 2, place);
        die();
    }
    if (!told || told->most <= 0 || count == 0) return REAL(pwritev)(descriptor, parts, count, place);
    // Only the beginning, within the first part.
    size_t most = (size_t)told->most;
    return REAL(pwrite)(descriptor, parts[0].iov_base, parts[0].iov_len < most ? parts[0].iov_len : most, place);
}

static ssize_t write_at(int descriptor, const void *bytes, size_t count, off_t place) {
    int code = fate(rule(descriptor, WRITE));
    if (code) FAIL(code);
    if (is_last()) {
        REAL(pwrite)(descriptor, bytes, count / 2, place);
        die();
    }
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
    if (is_last()) die();
    return REAL(fdatasync)(descriptor);
}

int fsync(int descriptor) {
    int code = fate(rule(descriptor, SYNC));
    if (code) FAIL(code);
    if (is_last()) die();
    return REAL(fsync)(descriptor);
}

int posix_fallocate(int descriptor, off_t place, off_t size) {
    int code = fate(rule(descriptor, ALLOCATE));
    if (!code && is_last()) die();
    return code ? code : REAL(posix_fallocate)(descriptor, place, size);
}

// What changes folders and sizes never fails, but may be the last call.
#define LAST(name, ...) do { if (is_last()) die(); return REAL(name)(__VA_ARGS__); } while (0)

int rename(const char *from, const char *to) {
    int number = count();
    if (number && number == end->at) die();
    for (int index = 0; number && index < RENAMES; index++) {
        int none = 0;
        if (atomic_compare_exchange_strong(&end->renames[index], &none, number)) break;
    }
    return REAL(rename)(from, to);
}

int link(const char *from, const char *to) { LAST(link, from, to); }

int unlink(const char *path) { LAST(unlink, path); }

int unlinkat(int folder, const char *path, int flags) { LAST(unlinkat, folder, path, flags); }

int mkdir(const char *path, mode_t mode) { LAST(mkdir, path, mode); }

int rmdir(const char *path) { LAST(rmdir, path); }

int ftruncate(int descriptor, off_t size) { LAST(ftruncate, descriptor, size); }

int ftruncate64(int descriptor, off64_t size) { LAST(ftruncate64, descriptor, size); }
