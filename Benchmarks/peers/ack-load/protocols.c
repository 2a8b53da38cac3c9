// What Apus, NATS with JetStream, and Redis are told, and what they answer.
//
// A message is the same JSON object everywhere: an id that nobody else has, and a payload of so many bytes.
#define _GNU_SOURCE
#include "load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// The longest header of a frame to a server: two bytes, a length of two, a mask of four.
#define FRAME_HEADER 8
#define LARGEST_FRAME 65535

size_t publish_size;

// A publish, and where in it the numbers are: the topic's, those of the id, and that of the answer.
static struct {
    char *bytes;
    size_t topic, id, answer;
} publish_text;

static void put_decimal(char *to, uint64_t value, int digits) {
    while (digits > 0) {
        to[--digits] = (char)('0' + value % 10);
        value /= 10;
    }
}

static void put_hexadecimal(char *to, uint64_t value, int digits) {
    while (digits > 0) {
        to[--digits] = "0123456789abcdef"[value & 15];
        value >>= 4;
    }
}

// The number that the bytes begin with.
static uint64_t number_in(const char *bytes, const char *end) {
    uint64_t value = 0;
    for (; bytes < end && *bytes >= '0' && *bytes <= '9'; bytes++) value = value * 10 + (uint64_t)(*bytes - '0');
    return value;
}

static bool begins_with(const char *bytes, size_t size, const char *text) {
    size_t wanted = strlen(text);
    return size >= wanted && memcmp(bytes, text, wanted) == 0;
}

// A line without its end; `*next` is behind it. NULL if it is not whole yet.
static const char *line_in(const char *bytes, const char *end, const char **next) {
    const char *found = memmem(bytes, (size_t)(end - bytes), "\r\n", 2);
    if (found) *next = found + 2;
    return found;
}

static char *made(const char *form, ...) __attribute__((format(printf, 1, 2)));
static char *made(const char *form, ...) {
    char *text = NULL;
    __builtin_va_list arguments;
    __builtin_va_start(arguments, form);
    if (vasprintf(&text, form, arguments) < 0) fail("no memory");
    __builtin_va_end(arguments);
    return text;
}

// The message. Its payload is as long as asked for, quotes included, as for the other load generators.
static char *message(void) {
    char *payload = made("%0*d", options.size - 2, 0);
    char *text = made("{\"id\":\"00000000-0000-4000-8000-000000000000\",\"payload\":\"%s\"}", payload);
    free(payload);
    return text;
}

// Keeps a text and finds the numbers in it. `answer` precedes that of the answer, if there is any.
static void keep(char *text, const char *topic, const char *answer) {
    publish_text.bytes = text;
    publish_text.topic = (size_t)(strstr(text, topic) - text) + strlen(topic);
    publish_text.id = (size_t)(strstr(text, "00000000-0000-4000-8000-") - text);
    const char *found = answer ? strstr(text, answer) : NULL;
    publish_text.answer = found ? (size_t)(found - text) + strlen(answer) : 0;
    publish_size = strlen(text);
}

static void put_publish(struct connection *connection, char *to, uint64_t sequence) {
    memcpy(to, publish_text.bytes, publish_size);
    put_decimal(to + publish_text.topic, connection->topic, TOPIC_DIGITS);
    put_hexadecimal(to + publish_text.id, connection->number, 8);
    put_hexadecimal(to + publish_text.id + 24, sequence, 12);
    if (publish_text.answer) put_decimal(to + publish_text.answer, sequence, SEQUENCE_DIGITS);
}

// Apus: JSON over a WebSocket. The answers of a connection come in order and repeat the request's number.

// Masks, or unmasks, eight bytes at a time; the servers' work is the same with any mask.
static void mask(char *bytes, size_t size) {
    const uint64_t key = 0x5ac3e1975ac3e197;
    size_t place = 0;
    for (; place + 8 <= size; place += 8) {
        uint64_t word;
        memcpy(&word, bytes + place, 8);
        word ^= key;
        memcpy(bytes + place, &word, 8);
    }
    for (; place < size; place++) bytes[place] ^= (char)(key >> (8 * (place % 8)));
}

// A frame around a text that is `FRAME_HEADER` bytes behind `to`; returns where it begins: short lengths are shorter.
static char *put_frame(char *to, size_t size) {
    char *start = size < 126 ? to + 2 : to;
    start[0] = (char)0x81;
    start[1] = (char)(0x80 | (size < 126 ? size : 126));
    if (size >= 126) start[2] = (char)(size >> 8), start[3] = (char)size;
    memcpy(to + FRAME_HEADER - 4, "\x97\xe1\xc3\x5a", 4);
    mask(to + FRAME_HEADER, size);
    return start;
}

static void apus_greet(struct connection *connection) {
    char *text = made(
        "GET /ws HTTP/1.1\r\nHost: %s:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
        options.host, options.port);
    say(connection, text, strlen(text));
    free(text);
}

static void apus_subscribe(struct connection *connection) {
    char *text = made("%*s{\"type\":\"subscribe\",\"topic\":\"%s.%06u\",\"client_id\":\"s%u\"}", FRAME_HEADER, "",
                      options.prefix, connection->topic, connection->number);
    size_t size = strlen(text);
    char *start = put_frame(text, size - FRAME_HEADER);
    say(connection, start, size - (size_t)(start - text));
    free(text);
}

static void apus_frame(struct connection *connection, const char *text, size_t size) {
    static const char ack[] = "{\"type\":\"ack\",\"request_id\":\"";
    if (begins_with(text, size, ack))
        on_answer(connection, number_in(text + sizeof ack - 1, text + size));
    else if (begins_with(text, size, "{\"type\":\"event\""))
        on_delivery();
    else if (begins_with(text, size, "{\"type\":\"ack\""))
        on_ready(connection);
    else if (!begins_with(text, size, "{\"type\":\"info\",\"msg\":\"ping\""))
        on_refusal(connection, text, size);
}

static size_t apus_take(struct connection *connection, const char *bytes, size_t size) {
    const char *place = bytes, *end = bytes + size;
    if (connection->stage == 0) {
        const char *found = memmem(bytes, size, "\r\n\r\n", 4);
        if (!found) return 0;
        if (!begins_with(bytes, size, "HTTP/1.1 101")) fail("no WebSocket: %.40s", bytes);
        connection->stage = 1;
        place = found + 4;
        if (connection->is_subscriber)
            apus_subscribe(connection);
        else
            on_ready(connection);
    }
    while (end - place >= 4) {
        const unsigned char *head = (const unsigned char *)place;
        size_t length = head[1], header = 2;
        if (length == 126) length = (size_t)head[2] << 8 | head[3], header = 4;
        if (length == 127) fail("a frame from the server is larger than a message of this load");
        if ((size_t)(end - place) < header + length) break;
        if (head[0] == 0x81) apus_frame(connection, place + header, length);
        if (head[0] == 0x88) fail("the server closed a connection: %.*s", (int)length - 2, place + header + 2);
        place += header + length;
    }
    return (size_t)(place - bytes);
}

static void apus_prepare(void) {
    char *body = message();
    char *topic = made("\"%s.", options.prefix);
    keep(made("%*s{\"type\":\"publish\",\"topic\":%s%06d\",\"request_id\":\"%0*d\",\"message\":%s}", FRAME_HEADER, "",
              topic, 0, SEQUENCE_DIGITS, 0, body),
         topic, "\"request_id\":\"");
    if (publish_size > LARGEST_FRAME) fail("--size is larger than a frame of this load");
    if (publish_size - FRAME_HEADER < 126) fail("--size is too small");
    free(topic);
    free(body);
}

static void apus_publish(struct connection *connection, char *to, uint64_t sequence) {
    put_publish(connection, to, sequence);
    put_frame(to, publish_size - FRAME_HEADER);
}

// NATS: a publish names a subject for its answer, which JetStream sends when the message is in the stream.

#define NATS_GREETING "CONNECT {\"verbose\":false,\"pedantic\":false}\r\n"

static void nats_greet(struct connection *connection) {
    char *text = connection->is_subscriber
                     ? made(NATS_GREETING "SUB %s.%06u 1\r\nPING\r\n", options.prefix, connection->topic)
                     : made(NATS_GREETING "SUB ack.%08u.* 1\r\nPING\r\n", connection->number);
    say(connection, text, strlen(text));
    free(text);
}

static void nats_message(struct connection *connection, const char *line, const char *end, const char *text,
                         size_t size) {
    if (connection->is_subscriber) {
        on_delivery();
    } else if (memmem(text, size, "\"error\"", 7)) {
        on_refusal(connection, text, size);
    } else {
        // MSG ack.00000001.000000000042 1 26
        size_t before = strlen("MSG ack.00000001.");
        on_answer(connection, number_in(line + before, end));
    }
}

static size_t nats_take(struct connection *connection, const char *bytes, size_t size) {
    const char *place = bytes, *end = bytes + size, *next = NULL;
    for (const char *stop; (stop = line_in(place, end, &next)); place = next) {
        if (begins_with(place, (size_t)(stop - place), "MSG ")) {
            const char *last = memrchr(place, ' ', (size_t)(stop - place));
            size_t length = number_in(last + 1, stop);
            if ((size_t)(end - next) < length + 2) break;
            nats_message(connection, place, stop, next, length);
            next += length + 2;
        } else if (begins_with(place, (size_t)(stop - place), "PONG")) {
            on_ready(connection);
        } else if (begins_with(place, (size_t)(stop - place), "PING")) {
            say(connection, "PONG\r\n", 6);
        } else if (begins_with(place, (size_t)(stop - place), "-ERR")) {
            fail("%.*s", (int)(stop - place), place);
        }
    }
    return (size_t)(place - bytes);
}

static void nats_prepare(void) {
    char *body = message();
    char *topic = made("PUB %s.", options.prefix);
    keep(made("%s%06d ack.%08d.%0*d %zu\r\n%s\r\n", topic, 0, 0, SEQUENCE_DIGITS, 0, strlen(body), body), topic,
         " ack.00000000.");
    free(topic);
    free(body);
}

static void nats_publish(struct connection *connection, char *to, uint64_t sequence) {
    put_publish(connection, to, sequence);
    // "00000000." is in front of the answer's number.
    put_decimal(to + publish_text.answer - 9, connection->number, 8);
}

// Redis: XADD to a stream; the answers of a connection come in order.

static void redis_greet(struct connection *connection) {
    if (connection->is_subscriber) fail("Redis has no subscribers in this load");
    say(connection, "*1\r\n$4\r\nPING\r\n", 14);
}

static size_t redis_take(struct connection *connection, const char *bytes, size_t size) {
    const char *place = bytes, *end = bytes + size, *next = NULL;
    for (const char *stop; (stop = line_in(place, end, &next)); place = next) {
        if (*place == '+') {
            on_ready(connection);
        } else if (*place == '$') {
            size_t length = number_in(place + 1, stop);
            if ((size_t)(end - next) < length + 2) break;
            next += length + 2;
            on_answer(connection, connection->answered);
        } else {
            on_refusal(connection, place, (size_t)(stop - place));
        }
    }
    return (size_t)(place - bytes);
}

static void redis_prepare(void) {
    char *body = message();
    char *topic = made("$%zu\r\n%s.", strlen(options.prefix) + 1 + TOPIC_DIGITS, options.prefix);
    const char *form = "*5\r\n$4\r\nXADD\r\n%s%06d\r\n$1\r\n*\r\n$1\r\nm\r\n$%zu\r\n%s\r\n";
    keep(made(form, topic, 0, strlen(body), body), topic, NULL);
    free(topic);
    free(body);
}

const struct protocol protocols[] = {
    {"apus", apus_greet, apus_take, apus_prepare, apus_publish},
    {"nats", nats_greet, nats_take, nats_prepare, nats_publish},
    {"redis", redis_greet, redis_take, redis_prepare, put_publish},
    {0},
};
