// What the parts of ack-load share: main.c has the options and the result, load.c the sockets and the clock, and
// protocols.c the bytes.
#ifndef ACK_LOAD_H
#define ACK_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

// Bytes that a connection takes in before they are looked at.
#define INPUT_SIZE (256u << 10)
// The digits of a topic's number, behind its prefix and a dot.
#define TOPIC_DIGITS 6
#define SEQUENCE_DIGITS 12

#define SECOND 1000000000ull
#define MOST_SERVERS 16
// Latencies are counted by microsecond; what takes longer than these counts as that long.
#define LONGEST 4000000u

struct connection {
    int socket;
    uint32_t number;
    // A subscriber's topic. A publisher uses all topics in turn, and this is the next.
    uint32_t topic;
    bool is_subscriber, is_ready, wants_output;
    // How much of the handshake is over.
    int stage;
    char *input, *output;
    size_t input_size, output_size, output_sent, output_limit;
    // Publishes sent, and answered. When the one with a number was sent, or was due, is in `times`.
    uint64_t sent, answered;
    uint64_t *times;
};

struct options {
    const struct protocol *protocol;
    const char *host, *prefix;
    int port, topics, publishers, subscribers, window, size;
    double rate, warmup, duration;
    // The processor time of the server's processes.
    clockid_t server_clocks[MOST_SERVERS];
    int server_count;
};
extern struct options options;

// Of the whole run, and where it says so of the time that counts.
struct figures {
    uint64_t sent, answers, refusals, out_of_order, deliveries, expected;
    uint64_t counted_answers, counted_deliveries;
    // How many answers took so many microseconds, and the longest in nanoseconds; of the time that counts.
    uint32_t latencies[LONGEST + 1];
    uint64_t longest;
    // Nanoseconds that count, and the processor time of the server and of this process in them.
    uint64_t measured, server_time, own_time;
};
extern struct figures figures;

void run(void);

struct protocol {
    const char *name;
    // What a client says first.
    void (*greet)(struct connection *);
    // Looks at what came in; returns how many of the bytes are done with. What is not whole yet stays.
    size_t (*take)(struct connection *, const char *bytes, size_t size);
    // Makes the text of a publish once, and puts it at `to` with the numbers of this one.
    void (*prepare)(void);
    void (*publish)(struct connection *, char *to, uint64_t sequence);
};
extern const struct protocol protocols[];
// Bytes of a publish, known when it is prepared.
extern size_t publish_size;

// What a protocol finds in the bytes that came in.
void on_ready(struct connection *);
void on_answer(struct connection *, uint64_t sequence);
void on_refusal(struct connection *, const char *text, size_t size);
void on_delivery(void);
void say(struct connection *, const char *bytes, size_t size);
_Noreturn void fail(const char *form, ...) __attribute__((format(printf, 1, 2)));

#endif
