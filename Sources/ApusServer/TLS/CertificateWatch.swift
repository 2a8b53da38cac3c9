import ApusProtocol
import ApusSockets
import ApusTLS
import Logging

/// Puts certificates in force whose files have changed, and warns of those that end soon.
///
/// ```
/// every second: ask for the files' stamps ──► changed, and settled ──► read ──► in force for new connections
///                                                                       └──► cannot be used: log once, keep the old
/// ```
struct CertificateWatch {
    /// How often the files are looked at.
    static let interval = Duration.seconds(1)

    private let tls: TLSInForce
    private let logger: Logger
    /// The certificates that the state below is about.
    private var known: TLSInForce.Certificates
    private var changes: FileChanges
    private var reminder = ExpiryReminder()

    init(_ tls: TLSInForce, logger: Logger) {
        self.tls = tls
        self.logger = logger
        known = tls.certificates
        changes = FileChanges(read: known.stamps)
        logger.notice("certificates in force", metadata: known.metadata)
    }

    /// Looks at the files until the task is cancelled.
    static func run(_ tls: TLSInForce, logger: Logger) async {
        var watch = CertificateWatch(tls, logger: logger)
        while !Task.isCancelled {
            watch.look(now: ServerClock.now)
            try? await Task.sleep(for: interval)
        }
    }

    /// Looks at the files once.
    mutating func look(now: Moment) {
        follow(tls.certificates)
        if changes.areSettled(FileStamp.all(known.settings.files)) { read() }
        guard reminder.isDue(expires: known.context.expires, now: now) else { return }
        let hasEnded = known.context.expires <= now.wall
        logger.warning("\(hasEnded ? "a certificate has ended" : "a certificate ends soon")", metadata: known.metadata)
    }

    private mutating func read() {
        do throws(ConfigurationError) {
            guard let next = try known.settings.load(replacing: known.context), tls.renew(with: next) else { return }
            follow(next)
            logger.notice("certificates reloaded", metadata: next.metadata)
        } catch {
            tls.noteFailure()
            logger.error("certificates not reloaded, the old ones stay", metadata: ["reason": "\(error)"])
        }
    }

    /// A reload of the configuration may have put others in force, too.
    private mutating func follow(_ current: TLSInForce.Certificates) {
        guard current.context !== known.context else { return }
        known = current
        changes = FileChanges(read: current.stamps)
        reminder.reset()
    }
}

extension TLSInForce.Certificates {
    /// The certificates' files, and when the first of them ends, for the log.
    var metadata: Logger.Metadata {
        [
            "certificates": "\(settings.certificates.map(\.certificate).joined(separator: ", "))",
            "valid_until": "\(Timestamp(milliseconds: context.expires))",
        ]
    }
}
