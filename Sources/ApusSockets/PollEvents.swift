import CEpoll
import Glibc

/// The events that a socket is watched for, and those that have occurred (epoll_ctl(2)).
public struct PollEvents: OptionSet, Sendable {
    public let rawValue: UInt32

    public init(rawValue: UInt32) {
        self.rawValue = rawValue
    }

    /// Bytes or connections are available, or the end of input.
    public static let readable = PollEvents(EPOLLIN)
    /// The socket accepts bytes.
    public static let writable = PollEvents(EPOLLOUT)
    /// The peer sends nothing more after what is available.
    public static let inputEnded = PollEvents(EPOLLRDHUP)
    /// Both directions are closed, or the connection has failed. Always reported.
    public static let broken = PollEvents(rawValue: EPOLLHUP.rawValue | EPOLLERR.rawValue)
    /// The peer has closed the connection, or will send nothing more.
    static let gone = broken.union(.inputEnded)
    /// Only for watching: reports new bytes only, not bytes that were available before.
    public static let edgeTriggered = PollEvents(EPOLLET)

    private init(_ event: EPOLL_EVENTS) {
        rawValue = event.rawValue
    }
}
