// What Swift's Glibc module leaves out of the C library: epoll(7), and the accept4(2) of GNU's feature set.
#pragma once

#include <sys/epoll.h>
#include <sys/socket.h>

static inline int cepoll_accept(int listener, int flags) {
    extern int accept4(int, struct sockaddr *, socklen_t *, int);
    return accept4(listener, 0, 0, flags);
}
