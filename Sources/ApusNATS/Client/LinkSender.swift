#if NATS
import ApusProtocol
import CNATS
import DequeModule
import Dispatch
import NIOCore

/// What the sender thread is asked to do.
enum LinkWork: Sendable {
    case connect(@Sendable (NATSFailure?) -> Void)
    case send(OutgoingMessage, generation: UInt64)
    case open(StreamReader, generation: UInt64)
    case stop(reader: UInt64)
    /// Somebody listens to this subject from now on.
    case listen(String)
    case leave(generation: UInt64)
    /// There are other servers, too, which are reached like the one of this URL.
    case learn([String], from: String)
    case lost(generation: UInt64)
    case end(@Sendable () -> Void)

    /// Answers it where nobody does it any more.
    func refuse() {
        switch self {
        case .connect(let completion): completion(NATSFailure(.unreachable, "The connection to NATS was closed."))
        case .open(let reader, _): reader.end(.disconnected)
        case .end(let completion): completion()
        case .send, .stop, .listen, .leave, .learn, .lost: break
        }
    }
}

struct OutgoingMessage: Sendable {
    let subject: String
    let headers: [NATSHeader]
    let body: ByteBuffer
    /// Of the request that it is; `nil` if there is no answer.
    let number: UInt64?
}

/// What the sender thread has: the connection, its subscriptions, and the servers to choose from.
struct LinkSender {
    private let connection: NATSConnection
    private var servers: ServerList
    private var link: Link?
    private var inbox: LinkSubscription?
    private var readers: [UInt64: LinkSubscription] = [:]
    private var listening: [String: LinkSubscription] = [:]
    private var generation: UInt64 = 0
    /// When to try the next server; `nil` while there is one, and before the first ``NATSConnection/connect()``.
    private var nextAttempt: DispatchTime?

    init(_ connection: NATSConnection) {
        self.connection = connection
        servers = ServerList(connection.settings.urls.shuffled())
    }

    consuming func run() {
        while true {
            switch connection.nextWork(until: nextAttempt) {
            case .connect(let completion): completion(connect())
            case .send(let message, let generation): send(message, generation)
            case .open(let reader, let generation): open(reader, generation)
            case .stop(let reader): readers[reader] = nil
            case .listen(let subject): listen(to: subject)
            case .leave(let generation):
                guard link != nil, generation == self.generation else { break }
                // Comes back as `lost`.
                connection.ended(generation, reason: "it was left for another server")
            case .learn(let discovered, let url): servers.learn(discovered, from: url)
            case .lost(let generation):
                guard generation == self.generation else { break }
                drop()
                nextAttempt = .now()
            case .end(let completion):
                connection.ended(generation, reason: "closed")
                drop()
                connection.finish()
                completion()
                // What libnats keeps of errors for each thread that calls it.
                nats_ReleaseThreadMemory()
                return
            case nil:
                if let time = nextAttempt, time <= .now() { reconnect() }
            }
        }
    }

    private mutating func drop() {
        readers.removeAll()
        listening.removeAll()
        inbox = nil
        link = nil
    }

    private func send(_ message: OutgoingMessage, _ generation: UInt64) {
        guard let link, generation == self.generation else { return connection.refuse(message.number) }
        let reply = message.number.map { "\(connection.inbox).\($0)" }
        let owned = OwnedMessage.make(
            subject: message.subject,
            reply: reply,
            headers: message.headers,
            body: message.body
        )
        guard let owned, link.send(owned) else { return connection.refuse(message.number) }
    }

    private mutating func open(_ reader: StreamReader, _ generation: UInt64) {
        guard let link, generation == self.generation,
            let subscription = link.subscribe(to: reader.deliverySubject, reader.receiver)
        else { return reader.end(.disconnected) }
        readers[reader.id] = subscription
        reader.subscribed()
    }

    /// A subscription that cannot be made now is made on the next connection.
    private mutating func listen(to subject: String) {
        guard let link, listening[subject] == nil else { return }
        let receiver = LinkReceiver { [weak connection] message in connection?.heard(message, on: subject) }
        listening[subject] = link.subscribe(to: subject, receiver)
    }

    // MARK: Connecting

    /// Tries each server once.
    private mutating func connect() -> NATSFailure? {
        var failure: NATSFailure?
        for url in servers.round() {
            do throws(NATSFailure) {
                try connect(to: url)
                return nil
            } catch {
                // Of several, one that answers says more than one that is not there.
                if failure.map({ $0.reason == .unreachable }) ?? true { failure = error }
            }
        }
        return failure ?? NATSFailure(.badSettings, "There is no NATS server to connect to; set --nats to its URL.")
    }

    /// Tries the next server.
    private mutating func reconnect() {
        guard let url = servers.next() else { return }
        do throws(NATSFailure) {
            nextAttempt = nil
            try connect(to: url)
        } catch {
            connection.tell(.unreachable(error))
            nextAttempt = .now() + .milliseconds(Int(servers.delay().wholeMilliseconds))
        }
    }

    private mutating func connect(to url: String) throws(NATSFailure) {
        generation += 1
        let generation = generation
        let listener = LinkListener { [weak connection] event in
            switch event {
            case .ended(let reason): connection?.ended(generation, reason: reason)
            case .leaving:
                connection?.tell(.leaving(server: NATSFailure.hidingPassword(of: url)))
                connection?.add(.leave(generation: generation))
            case .discovered(let servers): connection?.add(.learn(servers, from: url))
            case .complaint(let text): connection?.heard(text)
            }
        }
        let link = try Link.open(url, connection.settings, listener)
        let receiver = LinkReceiver { [weak connection] message in connection?.answer(message) }
        guard let inbox = link.subscribe(to: "\(connection.inbox).*", receiver) else {
            throw NATSFailure(
                .unreachable,
                "The NATS server at \(NATSFailure.hidingPassword(of: url)) closed the connection at once."
            )
        }
        self.link = link
        self.inbox = inbox
        for subject in connection.listenedTo { listen(to: subject) }
        servers.connected(to: url)
        servers.learn(link.discovered, from: url)
        let server = NATSServer(
            url: NATSFailure.hidingPassword(of: url),
            id: link.serverID,
            maxPayload: link.maxPayload,
            generation: generation
        )
        if !connection.began(server) {
            drop()
            nextAttempt = .now() + .milliseconds(Int(servers.delay().wholeMilliseconds))
        }
    }
}
#endif
