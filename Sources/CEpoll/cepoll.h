// What Swift's Glibc module leaves out of the C library: epoll(7), eventfd(2), and the accept4(2) of GNU's feature set.
#pragma once

#include <sys/epoll.h>
#include <sys/eventfd.h>

struct sockaddr;

static inline int cepoll_accept4(int listener, void *address, unsigned *size, int flags) {
    extern int accept4(int, struct sockaddr *, unsigned *, int);
    return accept4(listener, address, size, flags);
}
