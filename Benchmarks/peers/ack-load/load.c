// The sockets, the clock and the course of a run.
#define _GNU_SOURCE
#include "load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#define EVENTS 256
// Publishes that a connection of the open loop can have on their way; more that are due wait, which counts as latency.
#define OPEN_WINDOW 4096
// How long what is on its way at the end is waited for, and how long all connections may take to be made.
#define DRAIN (10 * SECOND)
#define CONNECTING (60 * SECOND)

struct figures figures;

static struct connection *connections;
static int connection_count, ready_count, poller;
static uint32_t most_on_their_way;

static enum { CONNECTS, WARMS_UP, MEASURES, DRAINS } phase;
static uint64_t now, phase_end, first_due, due, publishes, publisher_in_turn;

static uint64_t time_of(clockid_t clock) {
    struct timespec time;
    if (clock_gettime(clock, &time) != 0) fail("the server is gone");
    return (uint64_t)time.tv_sec * SECOND + (uint64_t)time.tv_nsec;
}

static uint64_t time_of_servers(void) {
    uint64_t all = 0;
    for (int number = 0; number < options.server_count; number++) all += time_of(options.server_clocks[number]);
    return all;
}

// Connections

static void watch_output(struct connection *connection, bool wants_output) {
    if (connection->wants_output == wants_output) return;
    connection->wants_output = wants_output;
    struct epoll_event event = {.events = EPOLLIN | (wants_output ? (uint32_t)EPOLLOUT : 0), .data.ptr = connection};
    if (epoll_ctl(poller, EPOLL_CTL_MOD, connection->socket, &event) != 0) fail("epoll_ctl: %s", strerror(errno));
}

static void flush(struct connection *connection) {
    while (connection->output_sent < connection->output_size) {
        const char *rest = connection->output + connection->output_sent;
        ssize_t count = send(connection->socket, rest, connection->output_size - connection->output_sent,
                             MSG_NOSIGNAL | MSG_DONTWAIT);
        if (count < 0 && errno == EAGAIN) return watch_output(connection, true);
        if (count < 0) fail("send: %s", strerror(errno));
        connection->output_sent += (size_t)count;
    }
    connection->output_size = connection->output_sent = 0;
    watch_output(connection, false);
}

// Room for so many bytes more. What was sent of the output is let go of first.
static char *room(struct connection *connection, size_t size) {
    if (connection->output_size + size > connection->output_limit && connection->output_sent > 0) {
        connection->output_size -= connection->output_sent;
        memmove(connection->output, connection->output + connection->output_sent, connection->output_size);
        connection->output_sent = 0;
    }
    if (connection->output_size + size > connection->output_limit) fail("more output than the window allows");
    return connection->output + connection->output_size;
}

void say(struct connection *connection, const char *bytes, size_t size) {
    memcpy(room(connection, size), bytes, size);
    connection->output_size += size;
}

static void connect_one(struct connection *connection) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)options.port)};
    if (inet_pton(AF_INET, options.host, &address.sin_addr) != 1) fail("%s is no IPv4 address", options.host);
    connection->socket = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int one = 1;
    if (connection->socket < 0 || connect(connection->socket, (void *)&address, sizeof address) != 0
        || setsockopt(connection->socket, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) != 0)
        fail("connect: %s", strerror(errno));
    // The window, the greeting, and a PONG now and then.
    connection->output_limit = (connection->is_subscriber ? 0 : most_on_their_way) * publish_size + 4096;
    connection->input = malloc(INPUT_SIZE);
    connection->output = malloc(connection->output_limit);
    connection->times = calloc(most_on_their_way, sizeof *connection->times);
    if (!connection->input || !connection->output || !connection->times) fail("no memory");
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
    if (epoll_ctl(poller, EPOLL_CTL_ADD, connection->socket, &event) != 0) fail("epoll_ctl: %s", strerror(errno));
    options.protocol->greet(connection);
    flush(connection);
}

// Subscribers first.
static void make_connections(void) {
    uint32_t wanted = options.rate > 0 ? OPEN_WINDOW : (uint32_t)options.window;
    for (most_on_their_way = 1; most_on_their_way < wanted;) most_on_their_way *= 2;
    options.protocol->prepare();
    connection_count = options.subscribers + options.publishers;
    connections = calloc((size_t)connection_count, sizeof *connections);
    poller = epoll_create1(EPOLL_CLOEXEC);
    if (!connections || poller < 0) fail("no memory");
    for (int number = 0; number < connection_count; number++) {
        bool is_subscriber = number < options.subscribers;
        int own = is_subscriber ? number : number - options.subscribers;
        connections[number] = (struct connection){.number = (uint32_t)number, .is_subscriber = is_subscriber,
                                                  .topic = (uint32_t)(own % options.topics)};
        connect_one(&connections[number]);
    }
}

static void receive(struct connection *connection) {
    ssize_t count = recv(connection->socket, connection->input + connection->input_size,
                         INPUT_SIZE - connection->input_size, MSG_DONTWAIT);
    if (count < 0 && errno == EAGAIN) return;
    if (count <= 0) fail("the server ended a connection: %s", count < 0 ? strerror(errno) : "end of file");
    now = time_of(CLOCK_MONOTONIC);
    connection->input_size += (size_t)count;
    size_t taken = options.protocol->take(connection, connection->input, connection->input_size);
    connection->input_size -= taken;
    if (connection->input_size == INPUT_SIZE) fail("the server sent what is larger than any answer");
    memmove(connection->input, connection->input + taken, connection->input_size);
}

// What a protocol finds

void on_ready(struct connection *connection) {
    if (connection->is_ready) return;
    connection->is_ready = true;
    ready_count++;
}

void on_answer(struct connection *connection, uint64_t sequence) {
    if (sequence != connection->answered) figures.out_of_order++;
    connection->answered++;
    figures.answers++;
    if (phase != MEASURES) return;
    figures.counted_answers++;
    uint64_t begin = connection->times[sequence & (most_on_their_way - 1)];
    uint64_t latency = now > begin ? now - begin : 0;
    figures.latencies[latency / 1000 < LONGEST ? latency / 1000 : LONGEST]++;
    if (latency > figures.longest) figures.longest = latency;
}

void on_refusal(struct connection *connection, const char *text, size_t size) {
    if (!connection->is_ready) fail("refused: %.*s", (int)size, text);
    if (figures.refusals++ == 0) fprintf(stderr, "ack-load: refused: %.*s\n", (int)size, text);
    connection->answered++;
}

void on_delivery(void) {
    figures.deliveries++;
    if (phase == MEASURES) figures.counted_deliveries++;
}

// Publishing

static void publish(struct connection *connection, uint64_t time) {
    connection->times[connection->sent & (most_on_their_way - 1)] = time;
    options.protocol->publish(connection, room(connection, publish_size), connection->sent++);
    connection->output_size += publish_size;
    // Subscribers are spread over the topics in turn.
    figures.expected += (uint64_t)(options.subscribers / options.topics)
              + (connection->topic < (uint32_t)(options.subscribers % options.topics));
    // Publishers begin at different topics, and skip those of the others.
    uint32_t step = options.rate > 0 ? (uint32_t)options.publishers : 1;
    connection->topic = (connection->topic + step) % (uint32_t)options.topics;
    figures.sent++;
}

static void fill(struct connection *connection) {
    while (connection->sent - connection->answered < (uint64_t)options.window) publish(connection, now);
    flush(connection);
}

// Sends what is due by now, a publisher after the other.
static void publish_due(void) {
    now = time_of(CLOCK_MONOTONIC);
    while (due <= now) {
        struct connection *connection = &connections[options.subscribers + (int)publisher_in_turn];
        if (connection->sent - connection->answered >= OPEN_WINDOW) return;
        publish(connection, due);
        flush(connection);
        publisher_in_turn = (publisher_in_turn + 1) % (uint64_t)options.publishers;
        due = first_due + (uint64_t)((double)++publishes * (double)SECOND / options.rate);
    }
}

// Phases

static void begin(int next, double seconds) {
    phase = next;
    phase_end = now + (uint64_t)(seconds * (double)SECOND);
}

static void begin_warm_up(void) {
    begin(WARMS_UP, options.warmup);
    // Due times are counted from here, whatever the phases are.
    first_due = due = now;
    if (options.rate > 0) return;
    for (int number = options.subscribers; number < connection_count; number++) fill(&connections[number]);
}

static void begin_to_measure(void) {
    figures.measured = now;
    figures.server_time = time_of_servers();
    figures.own_time = time_of(CLOCK_PROCESS_CPUTIME_ID);
    begin(MEASURES, options.duration);
}

static void begin_to_drain(void) {
    figures.measured = now - figures.measured;
    figures.server_time = time_of_servers() - figures.server_time;
    figures.own_time = time_of(CLOCK_PROCESS_CPUTIME_ID) - figures.own_time;
    begin(DRAINS, (double)DRAIN / (double)SECOND);
}

// Returns whether all is over.
static bool advance(void) {
    switch (phase) {
        case CONNECTS:
            if (ready_count == connection_count) begin_warm_up();
            else if (now > phase_end) fail("%d of %d connections are ready", ready_count, connection_count);
            return false;
        case WARMS_UP:
            if (now >= phase_end) begin_to_measure();
            return false;
        case MEASURES:
            if (now >= phase_end) begin_to_drain();
            return false;
        case DRAINS:
            if (now >= phase_end) return true;
            return figures.answers + figures.refusals == figures.sent && figures.deliveries == figures.expected;
    }
    return true;
}

void run(void) {
    struct epoll_event events[EVENTS];
    now = time_of(CLOCK_MONOTONIC);
    phase_end = now + CONNECTING;
    make_connections();
    while (!advance()) {
        bool publishes_now = phase == WARMS_UP || phase == MEASURES;
        if (publishes_now && options.rate > 0) publish_due();
        uint64_t until = publishes_now && options.rate > 0 && due < phase_end ? due : phase_end;
        uint64_t wait = until > now ? until - now : 0;
        struct timespec timeout = {.tv_sec = (time_t)(wait / SECOND), .tv_nsec = (long)(wait % SECOND)};
        int count = epoll_pwait2(poller, events, EVENTS, &timeout, NULL);
        if (count < 0 && errno != EINTR) fail("epoll_pwait2: %s", strerror(errno));
        for (int number = 0; number < count; number++) {
            struct connection *connection = events[number].data.ptr;
            if (events[number].events & ~(uint32_t)EPOLLOUT) receive(connection);
            if (connection->is_subscriber || !publishes_now || options.rate > 0)
                flush(connection);
            else
                fill(connection);
        }
        now = time_of(CLOCK_MONOTONIC);
    }
}
