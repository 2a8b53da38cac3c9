// Tells ThreadSanitizer what reference counts say about the order of things.
//
// A topic's log writes on in a buffer whose readers have let go of it: it asks whether it is the only owner, and a count
// is all there is between the last reader and the writer. On Linux the Swift runtime, which counts, is not instrumented.
// So these functions stand before those of the runtime in programs that link them: who lets go of an object releases
// what it did, and who finds itself the only owner acquires that. Nothing else is ordered by them.
#define _GNU_SOURCE

#include "ReferenceCounts.h"

#if __has_feature(thread_sanitizer)

#include <dlfcn.h>
#include <stdbool.h>
#include <stdint.h>

void __tsan_acquire(void *);
void __tsan_release(void *);

// What follows is no part of what is watched.
#pragma clang attribute push(__attribute__((no_sanitize("thread"))), apply_to = function)

// The runtime's own function of that name.
#define PLAIN(type, name) \
    static type *plain; \
    if (!plain) plain = (type *)dlsym(RTLD_NEXT, name)

// A string or an immediate value is passed where an object could be: the highest bit tells.
static bool is_object(void *object) { return (intptr_t)object > 0; }

typedef void release_function(void *);
typedef void release_n_function(void *, uint32_t);

void swift_release(void *object) {
    PLAIN(release_function, "swift_release");
    if (is_object(object)) __tsan_release(object);
    plain(object);
}

void swift_release_n(void *object, uint32_t count) {
    PLAIN(release_n_function, "swift_release_n");
    if (is_object(object)) __tsan_release(object);
    plain(object, count);
}

// Where isKnownUniquelyReferenced is inlined, it asks one of these.
typedef bool is_unique_function(void *);

#define IS_UNIQUE(name) \
    bool name(void *object) { \
        PLAIN(is_unique_function, #name); \
        bool is_unique = plain(object); \
        if (is_unique && is_object(object)) __tsan_acquire(object); \
        return is_unique; \
    }

IS_UNIQUE(swift_isUniquelyReferenced_native)
IS_UNIQUE(swift_isUniquelyReferenced_nonNull_native)

// Where it is not inlined, it is itself called: isKnownUniquelyReferenced<T>(_: inout T), and with an optional.
typedef bool is_known_unique_function(void **, void *);

#define IS_KNOWN_UNIQUE(function, name) \
    bool function(void **object, void *type) __asm__(name); \
    bool function(void **object, void *type) { \
        PLAIN(is_known_unique_function, name); \
        bool is_unique = plain(object, type); \
        if (is_unique && is_object(*object)) __tsan_acquire(*object); \
        return is_unique; \
    }

IS_KNOWN_UNIQUE(is_known_unique, "$ss25isKnownUniquelyReferencedySbxzRlzClF")
IS_KNOWN_UNIQUE(is_known_unique_optional, "$ss25isKnownUniquelyReferencedySbxSgzRlzClF")

// An AtomicLazyReference hands on an object with what was done before. Where it is not inlined, its atomics are those of
// a library that is not instrumented, either: load() and storeIfNil(_:) of AtomicLazyReference<T>.
#define SELF __attribute__((swift_context)) void *
typedef __attribute__((swiftcall)) void *load_function(void *, SELF);
typedef __attribute__((swiftcall)) void *store_function(void *, void *, SELF);

#define LOAD "$s15Synchronization19AtomicLazyReferenceV4loadxSgyF"
#define STORE "$s15Synchronization19AtomicLazyReferenceV10storeIfNilyxxnF"

__attribute__((swiftcall)) void *lazy_reference_load(void *type, SELF reference) __asm__(LOAD);
__attribute__((swiftcall)) void *lazy_reference_load(void *type, SELF reference) {
    PLAIN(load_function, LOAD);
    void *object = plain(type, reference);
    if (object) __tsan_acquire(object);
    return object;
}

__attribute__((swiftcall)) void *lazy_reference_store(void *object, void *type, SELF reference) __asm__(STORE);
__attribute__((swiftcall)) void *lazy_reference_store(void *object, void *type, SELF reference) {
    PLAIN(store_function, STORE);
    __tsan_release(object);
    void *stored = plain(object, type, reference);
    __tsan_acquire(stored);
    return stored;
}

#pragma clang attribute pop

#endif
