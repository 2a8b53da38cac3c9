import ApusSockets
import Glibc
import Logging
import NIOCore

/// The connection to systemd, read from the environment: the sockets that systemd passes (sd_listen_fds(3)), and the
/// socket for reporting the server's state (sd_notify(3)).
///
/// Both protocols are simple enough to do without libsystemd: file descriptors from 3 on, and datagrams of one line.
public struct Systemd: Sendable {
    /// Listening sockets to serve instead of those of the configuration.
    let sockets: [Socket]
    private let notifier: NotifySocket?
    /// How often to report a sign of life: half the time after which systemd stops a silent service.
    let watchdogInterval: Duration?

    /// The first file descriptor that systemd passes.
    private static let firstDescriptor: CInt = 3

    /// No systemd.
    public static let none = Systemd(sockets: [], notifier: nil, watchdogInterval: nil)

    private init(sockets: [Socket], notifier: NotifySocket?, watchdogInterval: Duration?) {
        self.sockets = sockets
        self.notifier = notifier
        self.watchdogInterval = watchdogInterval
    }

    /// Reads the variables that are for this process. It ignores variables that were inherited from another process.
    ///
    /// - Throws: ``ConfigurationError`` when too many sockets were passed, or something other than listening sockets.
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

    /// Reports that the server reads its configuration again. `tellReady` ends that.
    func tellReloading() {
        // The time tells the service manager that this answers its latest request (sd_notify(3)).
        notifier?.send("RELOADING=1\nMONOTONIC_USEC=\(NIODeadline.now().uptimeNanoseconds / 1000)")
    }

    /// Reports that all sockets are open, and that a reload is over.
    func tellReady(logger: Logger) {
        guard let notifier, !notifier.send("READY=1") else { return }
        // systemd will consider the start failed. This happens in a sandbox without AF_UNIX.
        logger.warning("the service manager cannot be told that the server is ready")
    }

    func tellStopping() {
        notifier?.send("STOPPING=1")
    }

    /// Reports signs of life while the server is alive, until the task is cancelled.
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
