import ApusAccess
import ApusBroker
import ApusSockets
import Logging
import NIOCore
import NIOEmbedded

@testable import ApusServer

/// A loop without a thread, whose connections are on pairs of sockets.
final class FuzzLoop {
    let eventLoop = EmbeddedEventLoop()
    let poller: Poller
    let context: LoopContext

    init(settings: ServerConfiguration) throws {
        let (broker, poller) = (MemoryBroker(limits: MemoryBroker.Limits()), try Poller())
        self.poller = poller
        let watch = LoopWatch(loops: 1, timeout: 0, tickInterval: settings.timeouts.tickInterval, now: 0)
        context = LoopContext(
            eventLoop: eventLoop,
            loopName: "fuzzed",
            settings: settings,
            access: AccessControl(.open),
            budgets: PublishBudgets(RateLimits(settings.rates)),
            broker: broker,
            mailbox: HubMailbox {},
            sockets: SocketBudget(limit: 1000),
            open: ConnectionCount(),
            openStreams: ConnectionCount(),
            beat: watch.beats[0],
            logger: .silent
        )
    }
}

extension Logger {
    static let silent = Logger(label: "fuzz", factory: { _ in SwiftLogNoOpLogHandler() })
}
