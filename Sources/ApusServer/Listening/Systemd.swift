import ApusSockets
import Glibc
import Logging

/// What systemd has to do with this process, by the variables that it sets: the sockets that it passes
/// (sd_listen_fds(3)), and where it is told how the server is (sd_notify(3)).
///
/// Both are small enough to do without libsystemd: descriptors that begin at 3, and datagrams of a line.
public struct Systemd: Sendable {
    /// Sockets that listen already, to be served in place of those of the configuration.
    let sockets: [Socket]
    private let notifier: NotifySocket?
    /// How often a sign of life is to be given: twice in the time after which systemd ends a service without.
    let watchdogInterval: Duration?

    /// The first descriptor that is passed.
    private static let firstDescriptor: CInt = 3

    /// No systemd.
    public static let none = Systemd(sockets: [], notifier: nil, watchdogInterval: nil)

    private init(sockets: [Socket], notifier: NotifySocket?, watchdogInterval: Duration?) {
        self.sockets = sockets
        self.notifier = notifier
        self.watchdogInterval = watchdogInterval
    }

    /// Takes what the environment says is for this process. What was for one whose variables it inherited is not.
    ///
    /// - Throws: where something else than listening sockets was passed, or too many.
    public init(environment: [String: String]) throws(ConfigurationError) {
        try self.init(environment: environment, process: getpid())
    }

    init(environment: [String: String], process: Int32) throws(ConfigurationError) {
        let own = String(process)
        sockets = environment["LISTEN_PID"] == own ? try Self.sockets(environment["LISTEN_FDS"] ?? "0") : []
        notifier = environment["NOTIFY_SOCKET"].flatMap { NotifySocket($0) }
        let isWatched = environment["WATCHDOG_PID"].map { $0 == own } ?? true
        let microseconds = isWatched ? environment["WATCHDOG_USEC"].flatMap { Int64($0) } : nil
        watchdogInterval = microseconds.flatMap { $0 > 0 ? .microseconds(max($0 / 2, 1)) : nil }
    }

    private static func sockets(_ count: String) throws(ConfigurationError) -> [Socket] {
        func unusable(_ reason: String) -> ConfigurationError {
            ConfigurationError(
                code: .invalidValue,
                setting: "listen",
                value: count,
                source: "environment LISTEN_FDS",
                reason: reason
            )
        }
        let limit = ListenAddress.maximumCount
        guard let number = Int32(count), (0...Int32(limit)).contains(number) else {
            throw unusable("is not a number of sockets from 0 to \(limit)")
        }
        let sockets = (0..<number).map { Socket(descriptor: firstDescriptor + $0) }
        for socket in sockets {
            guard socket.isListening else {
                throw unusable(
                    "has descriptor \(socket.descriptor), which is no stream socket that listens (in the socket unit: "
                        + "ListenStream=, and Accept=no)"
                )
            }
            socket.adopt()
        }
        return sockets
    }

    /// All that is to be served is open.
    func tellReady(logger: Logger) {
        guard let notifier, !notifier.send("READY=1") else { return }
        // It will take the start for one that failed. A sandbox without AF_UNIX does this.
        logger.warning("the service manager cannot be told that the server is ready")
    }

    func tellStopping() {
        notifier?.send("STOPPING=1")
    }

    /// Gives signs of life for as long as the server is alive, until the task is cancelled.
    func keepWatch(isAlive: @Sendable () -> Bool) async {
        guard let notifier, let watchdogInterval else { return }
        await Self.keepWatch(every: watchdogInterval, isAlive: isAlive) { notifier.send("WATCHDOG=1") }
    }

    static func keepWatch(every interval: Duration, isAlive: @Sendable () -> Bool, sign: @Sendable () -> Void) async {
        while !Task.isCancelled {
            if isAlive() { sign() }
            try? await Task.sleep(for: interval)
        }
    }
}
