import CEpoll
import Glibc

/// What a socket is asked about, and what it is found to be (epoll_ctl(2)).
public struct PollEvents: OptionSet, Sendable {
    public let rawValue: UInt32

    public init(rawValue: UInt32) {
        self.rawValue = rawValue
    }

    /// There are bytes or connections to take, or the end of them.
    public static let readable = PollEvents(EPOLLIN)
    /// The socket takes bytes.
    public static let writable = PollEvents(EPOLLOUT)
    /// The peer sends nothing more, behind what there is to take.
    public static let inputEnded = PollEvents(EPOLLRDHUP)
    /// Both directions are closed, or the connection has failed. Always reported.
    public static let broken = PollEvents(rawValue: EPOLLHUP.rawValue | EPOLLERR.rawValue)
    /// Asked for: tells of new bytes only, not of those that were there before.
    public static let edgeTriggered = PollEvents(EPOLLET)

    private init(_ event: EPOLL_EVENTS) {
        rawValue = event.rawValue
    }
}
