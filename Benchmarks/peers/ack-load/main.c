// ack-load: publishes that are acknowledged, to servers that keep them. One thread, epoll, libc only.
//
// It says how many publishes a second were acknowledged, how long the answers took, and what processor time the server
// took meanwhile, as one line of JSON. In the closed loop each publisher has `--window` publishes on their way. In the
// open loop publishes are sent when they are due, and latency counts from then.
#include "load.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

struct options options = {.host = "127.0.0.1", .prefix = "load", .topics = 1, .publishers = 1, .window = 1, .size = 128,
                          .warmup = 1, .duration = 4};

void fail(const char *form, ...) {
    va_list arguments;
    va_start(arguments, form);
    fputs("ack-load: ", stderr);
    vfprintf(stderr, form, arguments);
    fputc('\n', stderr);
    exit(1);
}

// The latency, in microseconds, that so many of all answers did not exceed.
static unsigned latency_at(double share) {
    uint64_t wanted = (uint64_t)(share * (double)figures.counted_answers), seen = 0;
    for (unsigned microseconds = 0; microseconds <= LONGEST; microseconds++)
        if ((seen += figures.latencies[microseconds]) > wanted) return microseconds;
    return 0;
}

static void put(const char *name, uint64_t value) {
    printf("\"%s\":%ju,", name, (uintmax_t)value);
}

static void report(void) {
    putchar('{');
    put("sent", figures.sent);
    put("answers", figures.answers);
    put("refusals", figures.refusals);
    put("out_of_order", figures.out_of_order);
    put("deliveries", figures.deliveries);
    put("expected", figures.expected);
    put("counted_answers", figures.counted_answers);
    put("counted_deliveries", figures.counted_deliveries);
    put("measured_ns", figures.measured);
    put("server_cpu_ns", figures.server_time);
    put("generator_cpu_ns", figures.own_time);
    put("p50_us", latency_at(0.5));
    put("p99_us", latency_at(0.99));
    printf("\"max_us\":%ju}\n", (uintmax_t)(figures.longest / 1000));
}

static void take_protocol(const char *name) {
    for (options.protocol = protocols; options.protocol->name; options.protocol++)
        if (!strcmp(options.protocol->name, name)) return;
    fail("there is no protocol %s", name);
}

static void take_server(const char *process) {
    if (options.server_count == MOST_SERVERS) fail("more than %d processes", MOST_SERVERS);
    clockid_t *clock = &options.server_clocks[options.server_count++];
    if (clock_getcpuclockid(atoi(process), clock) != 0) fail("there is no process %s", process);
}

static int whole(const char *name, const char *text) {
    char *end;
    long value = strtol(text, &end, 10);
    if (*end || value < 0 || value > 999999) fail("--%s=%s is out of range", name, text);
    return (int)value;
}

static void take_options(int count, char **words) {
    enum { PROTOCOL, PREFIX, PROCESS, RATE, WARMUP, DURATION, PORT, TOPICS, PUBLISHERS, SUBSCRIBERS, WINDOW, SIZE };
    static const char *const names[] = {"protocol", "prefix", "pid", "rate", "warmup", "duration",
                                        "port", "topics", "pubs", "subs", "window", "size"};
    int *const numbers[] = {&options.port, &options.topics, &options.publishers, &options.subscribers, &options.window,
                            &options.size};
    struct option known[SIZE + 2] = {0};
    for (int number = 0; number <= SIZE; number++)
        known[number] = (struct option){names[number], required_argument, NULL, number};
    for (int found; (found = getopt_long(count, words, "", known, NULL)) != -1;) {
        switch (found) {
            case PROTOCOL: take_protocol(optarg); break;
            case PREFIX: options.prefix = optarg; break;
            case PROCESS: take_server(optarg); break;
            case RATE: options.rate = atof(optarg); break;
            case WARMUP: options.warmup = atof(optarg); break;
            case DURATION: options.duration = atof(optarg); break;
            case '?': exit(64);
            default: *numbers[found - PORT] = whole(names[found], optarg);
        }
    }
    if (optind < count) fail("%s is no option", words[optind]);
    bool has_load = options.topics && options.publishers && options.window && options.size >= 2;
    if (!options.protocol || !options.port || !has_load)
        fail("needs --protocol and --port, and a topic, a publisher, a window and a payload of two bytes at least");
}

int main(int count, char **words) {
    take_options(count, words);
    prctl(PR_SET_TIMERSLACK, 1ul);
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    run();
    report();
    return 0;
}
