// Apus' plain protocol on uWebSockets, as fast as we know to write it: `uwebsockets PORT`.
//
// The library is the one in PyPI's `socketify`; what of its C interface is used is declared here, as the package has
// no header that can be included. JSON is read by simdjson in one pass ("on demand": it checks less than Apus does,
// which is to this server's good).
//
// What matters most is when a message is published. uWebSockets joins what one subscriber gets in one write only while
// no other socket is corked, and in the handler of a message the publisher's own socket is. So events are kept until
// the loop's deferred call, and published there; the acks, which go to that corked socket, are sent in the handler.
#include <simdjson.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

using std::string, std::string_view;
namespace json = simdjson::ondemand;

extern "C" {
using App = struct uws_app_s;
using Response = struct uws_res_s;
using Request = struct uws_req_s;
using Socket = struct uws_websocket_s;
using Context = struct uws_socket_context_s;
using Loop = struct us_loop_t;
struct TLSOptions { const char *paths[6]; int preferLowMemory; };
struct ListenOptions { int port; const char *host; int options; };
struct Behavior {
    int compression;
    unsigned maxPayloadLength;
    unsigned short idleTimeout;
    unsigned maxBackpressure;
    bool closeOnBackpressureLimit, resetIdleTimeoutOnSend, sendPingsAutomatically;
    unsigned short maxLifetime;
    void (*upgrade)(Response *, Request *, Context *, void *);
    void (*open)(Socket *, void *);
    void (*message)(Socket *, const char *, size_t, int opcode, void *);
    void (*drain)(Socket *, void *);
    void (*ping)(Socket *, const char *, size_t, void *);
    void (*pong)(Socket *, const char *, size_t, void *);
    void (*close)(Socket *, int, const char *, size_t, void *);
    void (*subscription)(Socket *, const char *, size_t, int, int, void *);
};
App *uws_create_app(int tls, TLSOptions);
Loop *uws_get_loop();
void uws_loop_defer(Loop *, void (*)(void *), void *);
void uws_app_post(int tls, App *, const char *path, void (*)(Response *, Request *, void *), void *);
void uws_app_listen_with_config(int tls, App *, ListenOptions, void (*)(void *, ListenOptions, void *), void *);
void uws_app_run(int tls, App *);
bool uws_publish(int tls, App *, const char *, size_t, const char *, size_t, int opcode, bool compress);
void uws_ws(int tls, App *, const char *path, Behavior, void *);
int uws_ws_send(int tls, Socket *, const char *, size_t, int opcode);
bool uws_ws_subscribe(int tls, Socket *, const char *, size_t);
bool uws_ws_unsubscribe(int tls, Socket *, const char *, size_t);
void uws_res_write_status(int tls, Response *, const char *, size_t);
void uws_res_end(int tls, Response *, const char *, size_t, bool close);
void uws_res_on_data(int tls, Response *, void (*)(Response *, const char *, size_t, bool isEnd, void *), void *);
void uws_res_on_aborted(int tls, Response *, void (*)(Response *, void *), void *);
}

namespace {

constexpr int text = 1;
constexpr size_t history = 100;

struct Topic {
    string name;
    // What an event and an ack begin with; names are of characters that JSON does not escape.
    string eventHead, ackMiddle;
    std::deque<string> kept;
};

struct NameHash : std::hash<string_view> { using is_transparent = void; };

struct Pending {
    const Topic *topic;
    size_t begin, size;
};

// One thread and one loop: all of it may be global.
App *app;
Loop *loop;
std::unordered_map<string, std::unique_ptr<Topic>, NameHash, std::equal_to<>> topics;
json::parser parser;
string input, reply, pendingText;
std::vector<Pending> pending;

// The time as RFC 3339, put together again only when the millisecond is another one.
string_view timestamp() {
    static char buffer[48];
    static long second = -1, millisecond = -1;
    timespec now;
    clock_gettime(CLOCK_REALTIME_COARSE, &now);
    long fraction = now.tv_nsec / 1'000'000;
    if (now.tv_sec != second) {
        tm parts;
        gmtime_r(&now.tv_sec, &parts);
        strftime(buffer, sizeof buffer, "%Y-%m-%dT%H:%M:%S", &parts);
        second = now.tv_sec;
        millisecond = -1;
    }
    if (fraction != millisecond) {
        snprintf(buffer + 19, sizeof buffer - 19, ".%03ldZ", fraction);
        millisecond = fraction;
    }
    return {buffer, 24};
}

void send(Socket *socket, string_view message) {
    uws_ws_send(0, socket, message.data(), message.size(), text);
}

void publishPending(void *) {
    for (const Pending &event : pending) {
        const string &topic = event.topic->name;
        uws_publish(0, app, topic.data(), topic.size(), pendingText.data() + event.begin, event.size, text, false);
    }
    pending.clear();
    pendingText.clear();
}

void publish(Topic &topic, string_view message) {
    if (pending.empty()) uws_loop_defer(loop, publishPending, nullptr);
    size_t begin = pendingText.size();
    pendingText += topic.eventHead;
    pendingText += message;
    pendingText += ",\"ts\":\"";
    pendingText += timestamp();
    pendingText += "\"}";
    pending.push_back({&topic, begin, pendingText.size() - begin});
    // The oldest one's memory is used again.
    string oldest;
    if (topic.kept.size() == history) {
        oldest = std::move(topic.kept.front());
        topic.kept.pop_front();
    }
    oldest.assign(pendingText, begin);
    topic.kept.push_back(std::move(oldest));
}

// `middle` is what stands between the head and the time stamp; `requestID` is the raw JSON that came, or empty.
void answer(Socket *socket, const char *head, string_view requestID, string_view middle) {
    reply = head;
    if (!requestID.empty()) {
        reply += ",\"request_id\":";
        reply += requestID;
    }
    reply += middle;
    reply += ",\"ts\":\"";
    reply += timestamp();
    reply += "\"}";
    send(socket, reply);
}

void refuse(Socket *socket, string_view requestID, const char *code) {
    string middle = string(",\"error\":{\"code\":\"") + code + "\",\"message\":\"refused\"}";
    answer(socket, "{\"type\":\"error\"", requestID, middle);
}

struct Command {
    string_view type, topic, message, requestID;
    int64_t lastN = 0;
    bool hasClientID = false, hasID = false, hasPayload = false;
};

// The members of `message`, and its raw text.
simdjson::error_code readMessage(json::value value, Command &command) {
    json::object object;
    if (auto error = value.get_object().get(object)) return error;
    if (auto error = object.raw_json().get(command.message)) return error;
    if (auto error = object.reset().error()) return error;
    for (auto member : object) {
        json::raw_json_string key;
        if (auto error = member.key().get(key)) return error;
        if (key == "id") {
            string_view id;
            if (auto error = member.value().get_string().get(id)) return error;
            command.hasID = !id.empty();
        } else if (key == "payload") {
            command.hasPayload = true;
        }
    }
    return simdjson::SUCCESS;
}

simdjson::error_code read(const char *bytes, size_t size, Command &command) {
    // simdjson reads some bytes more than there are.
    if (input.size() < size + simdjson::SIMDJSON_PADDING) input.resize(2 * (size + simdjson::SIMDJSON_PADDING));
    memcpy(input.data(), bytes, size);
    json::document document;
    if (auto error = parser.iterate(input.data(), size, input.size()).get(document)) return error;
    json::object object;
    if (auto error = document.get_object().get(object)) return error;
    for (auto member : object) {
        json::raw_json_string key;
        if (auto error = member.key().get(key)) return error;
        json::value value;
        if (auto error = member.value().get(value)) return error;
        simdjson::error_code error = simdjson::SUCCESS;
        if (key == "type") error = value.get_string().get(command.type);
        else if (key == "topic") error = value.get_string().get(command.topic);
        else if (key == "message") error = readMessage(value, command);
        else if (key == "request_id") command.requestID = value.raw_json_token();
        else if (key == "last_n") error = value.get_int64().get(command.lastN);
        else if (key == "client_id") command.hasClientID = true;
        if (error) return error;
    }
    return simdjson::SUCCESS;
}

void onMessage(Socket *socket, const char *bytes, size_t size, int opcode, void *) {
    Command command;
    if (opcode != text || read(bytes, size, command) != simdjson::SUCCESS) return refuse(socket, "", "BAD_REQUEST");
    if (command.type == "ping") return answer(socket, "{\"type\":\"pong\"", command.requestID, "");
    auto found = topics.find(command.topic);
    if (found == topics.end()) return refuse(socket, command.requestID, "TOPIC_NOT_FOUND");
    Topic &topic = *found->second;
    if (command.type == "publish") {
        if (!command.hasID || !command.hasPayload) return refuse(socket, command.requestID, "BAD_REQUEST");
        publish(topic, command.message);
        answer(socket, "{\"type\":\"ack\"", command.requestID, topic.ackMiddle);
    } else if (command.type == "subscribe") {
        if (!command.hasClientID) return refuse(socket, command.requestID, "BAD_REQUEST");
        // What waits to be published is in the history already.
        publishPending(nullptr);
        uws_ws_subscribe(0, socket, topic.name.data(), topic.name.size());
        answer(socket, "{\"type\":\"ack\"", command.requestID, topic.ackMiddle);
        size_t count = std::min(topic.kept.size(), static_cast<size_t>(std::max<int64_t>(command.lastN, 0)));
        for (size_t at = topic.kept.size() - count; at < topic.kept.size(); at++) send(socket, topic.kept[at]);
    } else if (command.type == "unsubscribe") {
        uws_ws_unsubscribe(0, socket, topic.name.data(), topic.name.size());
        answer(socket, "{\"type\":\"ack\"", command.requestID, topic.ackMiddle);
    } else {
        refuse(socket, command.requestID, "BAD_REQUEST");
    }
}

const char *createTopic(const string &body) {
    simdjson::padded_string padded(body);
    json::document document;
    string_view name;
    const char *bad = "400 Bad Request";
    if (parser.iterate(padded).get(document) || document["name"].get_string().get(name) || name.empty()) return bad;
    for (unsigned char byte : name) {
        if (byte < 0x20 || byte == '"' || byte == '\\') return bad;
    }
    if (topics.find(name) != topics.end()) return "409 Conflict";
    auto topic = std::make_unique<Topic>();
    topic->name = name;
    topic->eventHead = "{\"type\":\"event\",\"topic\":\"" + topic->name + "\",\"message\":";
    topic->ackMiddle = ",\"topic\":\"" + topic->name + "\",\"status\":\"ok\"";
    topics.emplace(topic->name, std::move(topic));
    return "201 Created";
}

void onPost(Response *response, Request *, void *) {
    auto body = new string;
    uws_res_on_aborted(0, response, [](Response *, void *body) { delete static_cast<string *>(body); }, body);
    uws_res_on_data(0, response, [](Response *response, const char *bytes, size_t size, bool isEnd, void *data) {
        auto body = static_cast<string *>(data);
        body->append(bytes, size);
        if (!isEnd) return;
        const char *status = createTopic(*body);
        uws_res_write_status(0, response, status, strlen(status));
        uws_res_end(0, response, "{}", 2, false);
        delete body;
    }, body);
}

}  // namespace

int main(int count, char **arguments) {
    int port = count > 1 ? atoi(arguments[1]) : 0;
    if (port <= 0) return fprintf(stderr, "usage: uwebsockets PORT\n"), 2;
    app = uws_create_app(0, TLSOptions{});
    loop = uws_get_loop();
    Behavior behavior{};
    behavior.maxPayloadLength = 1 << 20;
    behavior.idleTimeout = 120;
    // What a subscriber may lag behind; more is dropped for it.
    behavior.maxBackpressure = 4 << 20;
    behavior.sendPingsAutomatically = true;
    behavior.message = onMessage;
    uws_ws(0, app, "/ws", behavior, nullptr);
    uws_app_post(0, app, "/topics", onPost, nullptr);
    uws_app_listen_with_config(0, app, ListenOptions{port, "127.0.0.1", 0}, [](void *listener, ListenOptions, void *) {
        if (!listener) fprintf(stderr, "uwebsockets: cannot listen\n"), exit(1);
    }, nullptr);
    uws_app_run(0, app);
}
