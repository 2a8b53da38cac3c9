// What Swift's Glibc module leaves out of the C library: epoll(7), timerfd_create(2), and the accept4(2) of GNU's feature set.
#pragma once

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>

static inline int cepoll_accept4(int listener, struct sockaddr *address, socklen_t *size, int flags) {
    extern int accept4(int, struct sockaddr *, socklen_t *, int);
    return accept4(listener, address, size, flags);
}
