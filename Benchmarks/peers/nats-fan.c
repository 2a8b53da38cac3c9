// nats-fan: what a message from NATS to many sockets takes at least. One thread, epoll, libc only.
//
// It subscribes to a subject of core NATS. What one read from there brings becomes WebSocket frames, once, and goes to
// every connection by one write. It parses nothing of a message, keeps nothing, and knows no topics: a floor to compare
// with, not a server.
//
//     nats-fan PORT-OF-NATS SUBJECT        prints the port at which it takes connections
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define INPUT (1u << 20)
#define MOST_CONNECTIONS 20000

static char input[INPUT], output[2 * INPUT];
static size_t input_size, output_size;
static int subscribers[MOST_CONNECTIONS], count;

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static struct sockaddr_in here(int port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

static void write_all(int socket, const char *bytes, size_t size) {
    while (size > 0) {
        ssize_t done = send(socket, bytes, size, MSG_NOSIGNAL);
        if (done < 0) fail("send");
        bytes += done;
        size -= (size_t)done;
    }
}

// A text frame of a server, behind what is in the output.
static void put_frame(const char *body, size_t size) {
    output[output_size++] = (char)0x81;
    if (size < 126) {
        output[output_size++] = (char)size;
    } else if (size < 65536) {
        output[output_size++] = 126;
        output[output_size++] = (char)(size >> 8);
        output[output_size++] = (char)size;
    } else {
        errno = EMSGSIZE;
        fail("a message");
    }
    memcpy(output + output_size, body, size);
    output_size += size;
}

// Takes whole messages out of the input; what is left moves to its beginning.
static void take_messages(int nats) {
    char *place = input, *end = input + input_size;
    for (char *stop; (stop = memchr(place, '\n', (size_t)(end - place)));) {
        char *next = stop + 1;
        if (!strncmp(place, "MSG ", 4)) {
            char *number = stop;
            while (number[-1] != ' ') number--;
            size_t size = strtoul(number, NULL, 10);
            if ((size_t)(end - next) < size + 2) break;
            put_frame(next, size);
            next += size + 2;
        } else if (!strncmp(place, "PING", 4)) {
            write_all(nats, "PONG\r\n", 6);
        } else if (!strncmp(place, "-ERR", 4)) {
            errno = EPROTO;
            fail("NATS");
        }
        place = next;
    }
    input_size = (size_t)(end - place);
    memmove(input, place, input_size);
}

static void read_messages(int nats) {
    if (input_size == INPUT) {
        errno = EMSGSIZE;
        fail("a message");
    }
    ssize_t got = recv(nats, input + input_size, INPUT - input_size, 0);
    if (got <= 0) fail("NATS has gone");
    input_size += (size_t)got;
    output_size = 0;
    take_messages(nats);
    if (output_size == 0) return;
    for (int index = 0; index < count; index++) write_all(subscribers[index], output, output_size);
}

int main(int words, char **word) {
    if (words != 3) return 64;
    struct sockaddr_in address = here(atoi(word[1]));
    int nats = socket(AF_INET, SOCK_STREAM, 0), one = 1;
    if (connect(nats, (struct sockaddr *)&address, sizeof address)) fail("connect");
    setsockopt(nats, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    char text[256];
    int size = snprintf(text, sizeof text, "CONNECT {\"verbose\":false}\r\nSUB %s 1\r\n", word[2]);
    write_all(nats, text, (size_t)size);
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    address = here(0);
    socklen_t length = sizeof address;
    if (bind(listener, (struct sockaddr *)&address, length) || listen(listener, 4096)) fail("listen");
    getsockname(listener, (struct sockaddr *)&address, &length);
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    int poll = epoll_create1(0);
    int sockets[] = {nats, listener};
    for (int index = 0; index < 2; index++) {
        struct epoll_event event = {.events = EPOLLIN, .data.fd = sockets[index]};
        epoll_ctl(poll, EPOLL_CTL_ADD, sockets[index], &event);
    }
    for (struct epoll_event event;;) {
        if (epoll_wait(poll, &event, 1, -1) < 1) continue;
        if (event.data.fd == nats) {
            read_messages(nats);
            continue;
        }
        if (count == MOST_CONNECTIONS) fail("too many connections");
        int subscriber = accept(listener, NULL, NULL);
        if (subscriber < 0) fail("accept");
        setsockopt(subscriber, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        subscribers[count++] = subscriber;
    }
}
